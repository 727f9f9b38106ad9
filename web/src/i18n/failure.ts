/** A failure as a sentence in the reader's language, by its type. */
import type { Failure, Problem } from "../api/wire.ts";
import type { errorMessages, problemMessages, signInErrorMessages } from "./catalogue.ts";

type Sentences = ReturnType<typeof errorMessages.get>;
type Reasons = ReturnType<typeof problemMessages.get>;

function textFor(type: string, texts: object): string | null {
  const known: unknown = Object.hasOwn(texts, type) ? texts[type as keyof typeof texts] : null;
  return typeof known === "string" ? known : null;
}

const MINUTE = 60;

/** Sentences that come with the screens, and with images, by type. */
const seldom: (() => object)[] = [];
const rare = (): object => Object.assign({}, ...seldom.map((sentences) => sentences()));

export function knowRare(sentences: () => object): void {
  seldom.push(sentences);
}

/** For how long a failure asks to wait. A budget renews in hours or weeks; when that is, it says itself. */
export function secondsToWait(failure: Failure): number {
  return failure.type === "budget_exceeded" ? 0 : Math.max(0, Math.ceil(failure.retry_after ?? 0));
}

/** When to try again, where that helps; else nothing. */
export function waitFor(failure: Failure, sentences: Sentences, seconds = secondsToWait(failure)): string {
  if (seconds >= 2 * MINUTE) return sentences.retryMinutes(Math.ceil(seconds / MINUTE));
  if (seconds > 0) return sentences.retryAfter(seconds);
  return failure.type === "upstream_unavailable" ? sentences.retrySoon : "";
}

/** What went wrong. A home may have words of its own for what is to be done. */
export function reasonFor(failure: Failure, sentences: Sentences, home = "local"): string {
  return textFor(`${failure.type}_${home}`, sentences) ?? textFor(failure.type, sentences) ?? textFor(failure.type, rare()) ?? sentences.unknown;
}

export function sentenceFor(failure: Failure, sentences: Sentences, home = "local"): string {
  return `${reasonFor(failure, sentences, home)} ${waitFor(failure, sentences)}`.trimEnd();
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
  const isTold = [sentences, rare()].some((each) => Object.hasOwn(each, failure.type));
  return isTold ? sentenceFor(failure, sentences) : sentenceForSignIn(failure.type, reasons);
}
