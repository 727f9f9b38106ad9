/** How much a question would make the model read, guessed before it is sent. Pure. */
import type { Message, Price } from "../api/wire.ts";
import { MICRO } from "../lib/money.ts";

/** From so many tokens on the reader is told. */
export const LONG = 2_000;
const LETTERS_PER_TOKEN = 4;
/** As the server counts one; see conversation/transcript.py. */
export const IMAGE_TOKENS = 1_500;

/** Four letters of English make a token; of Korean and its neighbours, each syllable about one. */
export function tokensOf(text: string): number {
  const wide = text.match(/[^\u0000-\u02ff]/g)?.length ?? 0;
  return Math.ceil((text.length - wide) / LETTERS_PER_TOKEN + wide);
}

/** What the conversation so far adds to a question: as it was counted at its last answer, else guessed. */
export function tokensBefore(path: readonly Message[]): number {
  let tokens = 0;
  for (const { usage, parts } of path.toReversed()) {
    // What a model thought is not sent again.
    if (usage && usage.input > 0) return tokens + usage.input + usage.output - usage.reasoning;
    for (const part of parts) tokens += part.type === "text" ? tokensOf(part.text) : part.type === "image" ? IMAGE_TOKENS : 0;
  }
  return tokens;
}

export interface Estimate {
  readonly tokens: number;
  /** Micro-dollars for reading alone; null where the price is not known. */
  readonly cost: number | null;
}

/** Nothing where there is nothing to say: there is no question, or all of it is short. */
export function estimateOf(text: string, images: number, before: number, price: Price | undefined): Estimate | null {
  if (text.trim() === "" && images === 0) return null;
  const tokens = rounded(before + tokensOf(text) + images * IMAGE_TOKENS);
  if (tokens <= LONG) return null;
  return { tokens, cost: price ? Math.ceil((tokens * price.input) / MICRO) : null };
}

/** A guess has two digits; more would be a promise, and would flicker with each letter. */
function rounded(tokens: number): number {
  const step = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(tokens, 1))) - 1);
  return Math.round(tokens / step) * step;
}
