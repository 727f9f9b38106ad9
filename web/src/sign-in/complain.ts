/** Tell the reader that what they did came to nothing; where that is for want of a session, ask them to sign in. */
import { ApiFailure } from "../api/failure.ts";
import { errorMessages } from "../i18n/catalogue.ts";
import { sentenceFor } from "../i18n/failure.ts";
import { toasts } from "../lib/toasts.svelte.ts";
import { identity } from "./identity.svelte.ts";

/** Errors of other kinds than the server's are thrown on. */
export function complain(error: unknown): void {
  if (!(error instanceof ApiFailure)) throw error;
  if (error.isSignedOut) identity.askToSignIn(error);
  else toasts.show(sentenceFor(error.failure, errorMessages.get(), identity.me?.home));
}
