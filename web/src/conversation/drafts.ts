/** What is being written, kept for each conversation, so that a reload or a crash loses no text. */
import { readOwn, saveOwn } from "../lib/saved.ts";

const NEW = "new";

export function readDraft(conversation: string | null): string {
  return readOwn(`draft.${conversation ?? NEW}`) ?? "";
}

export function saveDraft(conversation: string | null, text: string): void {
  saveOwn(`draft.${conversation ?? NEW}`, text === "" ? null : text);
}
