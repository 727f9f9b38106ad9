/** What is being written, kept for each conversation, so that a reload or a crash loses no text. */
import { readOwn, saveOwn } from "../lib/saved.ts";

const NEW = "new";

export function readDraft(conversation: string | null): string {
  return readOwn(`draft.${conversation ?? NEW}`) ?? "";
}

export function saveDraft(conversation: string | null, text: string): void {
  saveOwn(`draft.${conversation ?? NEW}`, text === "" ? null : text);
}

/** Under which name the images of a draft are kept. */
export const imagesOfDraft = (conversation: string | null): string => `images.${conversation ?? NEW}`;

/** The edit of a question that is under way; null where none is. Questions are never rewritten, so it stays one of this text. */
export function readEdit(question: string): string | null {
  return readOwn(`edit.${question}`);
}

export function saveEdit(question: string, text: string | null): void {
  saveOwn(`edit.${question}`, text);
}

export const imagesOfEdit = (question: string): string => `edit-images.${question}`;

/** Whether images are kept under one of these names: those of a draft, or others for a question than it showed. */
export const hasImages = (name: string): boolean => readOwn(name) !== null;
