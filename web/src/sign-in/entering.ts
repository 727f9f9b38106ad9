/** What is said where coming in came to nothing. */
import { ApiFailure } from "../api/failure.ts";
import { errorMessages, signInErrorMessages } from "../i18n/catalogue.ts";
import { sentenceForEntering } from "../i18n/failure.ts";
import type { Next } from "../api/doors-wire.ts";

/** One step of coming in: its answer, or why there is none, as a sentence. Errors of other kinds than the server's go on. */
export async function tried(step: () => Promise<Next>): Promise<{ readonly next: Next } | { readonly failure: ApiFailure; readonly why: string }> {
  try {
    return { next: await step() };
  } catch (error) {
    if (!(error instanceof ApiFailure)) throw error;
    return { failure: error, why: why(error) };
  }
}

export const why = ({ failure }: ApiFailure): string => sentenceForEntering(failure, signInErrorMessages.get(), errorMessages.get());
