/** Elements of an export as bodies of requests: each within its limits. Pure. */
import type { Broken } from "./elements.ts";
import { slimmed } from "./slim.ts";

/** So many conversations go in one request: the server stores each, and answers within the half minute that AWS gives. */
export const AT_ONCE = 20;
/** A request is no longer than this where the server takes more: what is told is how far it has come. */
const ENOUGH_BYTES = 2_000_000;
const AROUND_BYTES = 64;

/** Why an element is not sent; `title` where it is known. */
export interface Unsent {
  readonly title: string | null;
  readonly why: Broken | "notJson" | "tooLarge";
}

export class Batches {
  readonly #most: number;
  #held: Held[] = [];
  #bytes = 0;

  /** `most`: the longest body that the server takes. */
  constructor(most: number) {
    this.#most = most - AROUND_BYTES;
  }

  /** Take an element in; return the bodies that are ready, or why the element will not be sent. */
  add(element: Uint8Array | Broken): { ready: Body | null; unsent: Unsent | null } {
    if (typeof element === "string") return { ready: null, unsent: { title: null, why: element } };
    const found = textOf(element);
    if (found === null) return { ready: null, unsent: { title: null, why: "notJson" } };
    if (found.isOfFile) return { ready: null, unsent: null };
    if (found.text.length > this.#most) return { ready: null, unsent: { title: found.title, why: "tooLarge" } };
    const isFull = this.#held.length >= AT_ONCE || this.#bytes + found.text.length > Math.min(this.#most, ENOUGH_BYTES);
    const ready = isFull ? this.rest() : null;
    this.#held.push(found);
    this.#bytes += found.text.length + 1;
    return { ready, unsent: null };
  }

  /** What is left. */
  rest(): Body | null {
    const held = this.#held;
    [this.#held, this.#bytes] = [[], 0];
    return held.length === 0 ? null : new Body(held);
  }
}

interface Held {
  readonly text: Uint8Array<ArrayBuffer>;
  readonly title: string | null;
}

/** A request's body. */
export class Body {
  readonly #held: readonly Held[];

  constructor(held: readonly Held[]) {
    this.#held = held;
  }

  get content(): Blob {
    const pieces = this.#held.flatMap(({ text }, index) => (index === 0 ? [text] : [",", text]));
    return new Blob(['{"conversations":[', ...pieces, "]}"], { type: "application/json" });
  }

  get title(): string | null {
    return this.#held[0]?.title ?? null;
  }

  /** Each conversation as a body of its own; none where it is one already. */
  get alone(): Body[] {
    return this.#held.length > 1 ? this.#held.map((one) => new Body([one])) : [];
  }
}

/** An element as it is sent; `isOfFile`: a line of our own export that says what the file is. */
function textOf(element: Uint8Array): (Held & { isOfFile: boolean }) | null {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(element));
    const has = (name: string): unknown => (typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined);
    const title = [has("title"), has("name")].find((text) => typeof text === "string") as string | undefined;
    const isOfFile = has("type") === "daehwa-export" || has("type") === "end";
    return { text: new TextEncoder().encode(JSON.stringify(slimmed(value))), title: title ?? null, isOfFile };
  } catch {
    return null; // no JSON, or too deep to be written again
  }
}
