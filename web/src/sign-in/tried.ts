/** Something that the reader asked for on a screen: null where it was done, else the sentence why it was not. */
import { ApiFailure } from "../api/failure.ts";
import { errorMessages, signInErrorMessages } from "../i18n/catalogue.ts";
import { sentenceForEntering } from "../i18n/failure.ts";
import { identity } from "./identity.svelte.ts";

export const sentenceOf = (error: ApiFailure): string =>
  sentenceForEntering(error.failure, signInErrorMessages.get(), errorMessages.get());

/** `refused` is said where a password or code was not right. Errors of other kinds than the server's are thrown on. */
export async function tried(act: () => Promise<unknown>, refused?: string): Promise<string | null> {
  try {
    await act();
    return null;
  } catch (error) {
    if (!(error instanceof ApiFailure)) throw error;
    if (error.isSignedOut) identity.askToSignIn(error);
    return error.type === "credentials_refused" && refused !== undefined ? refused : sentenceOf(error);
  }
}
