/** What is being written, kept for each conversation, so that a reload or a crash loses no text. */
import { readSaved, save } from "../lib/saved.ts";

const NEW = "new";

export function readDraft(conversation: string | null): string {
  return readSaved(`draft.${conversation ?? NEW}`) ?? "";
}

export function saveDraft(conversation: string | null, text: string): void {
  save(`draft.${conversation ?? NEW}`, text === "" ? null : text);
}
