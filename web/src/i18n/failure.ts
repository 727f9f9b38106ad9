/** A failure as a sentence in the reader's language, by its type. */
import type { Failure, Problem } from "../api/wire.ts";
import type { errorMessages, problemMessages, signInErrorMessages } from "./catalogue.ts";

type Sentences = ReturnType<typeof errorMessages.get>;
type Reasons = ReturnType<typeof problemMessages.get>;

function textFor(type: string, texts: object): string | null {
  const known: unknown = Object.hasOwn(texts, type) ? texts[type as keyof typeof texts] : null;
  return typeof known === "string" ? known : null;
}

/** A home may have words of its own for what is to be done. */
export function sentenceFor(failure: Failure, sentences: Sentences, home = "local"): string {
  const sentence = textFor(`${failure.type}_${home}`, sentences) ?? textFor(failure.type, sentences) ?? sentences.unknown;
  // A budget renews in hours or weeks; when that is, it says itself.
  const seconds = failure.type === "budget_exceeded" ? 0 : Math.ceil(failure.retry_after ?? 0);
  if (seconds > 0) return `${sentence} ${sentences.retryAfter(seconds)}`;
  return failure.type === "upstream_unavailable" ? `${sentence} ${sentences.retrySoon}` : sentence;
}

/** Why the models of a provider, or the one model there is, cannot be asked. */
export function sentenceForProblem({ provider, type }: Problem, reasons: Reasons, sentences: Sentences): string {
  if (type === "model_not_installed" || type === "key_not_set") return sentences[type];
  if (type === "unavailable") return reasons.unavailable({ name: provider });
  return reasons.cannot({ provider, why: textFor(type, reasons) ?? reasons.unknown });
}

/** Why signing in came to nothing. */
export function sentenceForSignIn(type: string, reasons: ReturnType<typeof signInErrorMessages.get>): string {
  return textFor(type, reasons) ?? reasons.unknown;
}

/** Why somebody could not come in by a door of this server's own. */
export function sentenceForEntering(failure: Failure, reasons: ReturnType<typeof signInErrorMessages.get>, sentences: Sentences): string {
  return Object.hasOwn(sentences, failure.type) ? sentenceFor(failure, sentences) : sentenceForSignIn(failure.type, reasons);
}
