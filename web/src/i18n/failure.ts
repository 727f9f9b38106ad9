/** A failure as a sentence in the reader's language, by its type. */
import type { Failure } from "../api/wire.ts";
import { errorMessages } from "./catalogue.ts";

type Sentences = ReturnType<typeof errorMessages.get>;

export function sentenceFor(failure: Failure, sentences: Sentences): string {
  const known: unknown = Object.hasOwn(sentences, failure.type) ? sentences[failure.type as keyof Sentences] : null;
  const sentence = typeof known === "string" ? known : sentences.unknown;
  if (failure.retry_after == null) return sentence;
  return `${sentence} ${sentences.retryAfter(Math.ceil(failure.retry_after))}`;
}
