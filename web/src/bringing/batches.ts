/** Elements of an export as bodies of requests: each within its limits. Pure. */
import type { Broken } from "./elements.ts";
import { isObject, slimmed } from "./slim.ts";

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

  /** Take an element in; yield the bodies that are ready, and what of it will not be sent. */
  *add(element: Uint8Array | Broken): Generator<Body | Unsent> {
    for (const found of typeof element === "string" ? [{ title: null, why: element }] : conversationsIn(element)) {
      if ("why" in found) yield found;
      else if (found.text.length > this.#most) yield { title: found.title, why: "tooLarge" };
      else yield* this.#hold(found);
    }
  }

  *#hold(found: Held): Generator<Body> {
    const isFull = this.#held.length >= AT_ONCE || this.#bytes + found.text.length > Math.min(this.#most, ENOUGH_BYTES);
    const ready = isFull ? this.rest() : null;
    this.#held.push(found);
    this.#bytes += found.text.length + 1;
    if (ready) yield ready;
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

/** What is sent of an element: a conversation, or each that stands in it. A line of our own export that says what the file is has none. */
function* conversationsIn(element: Uint8Array): Generator<Held | Unsent> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(element));
  } catch {
    yield { title: null, why: "notJson" };
    return;
  }
  if (["daehwa-export", "end"].includes(field(value, "type") as string)) return;
  const inner = Array.isArray(value) ? value : field(value, "conversations");
  for (const each of Array.isArray(inner) ? inner : [value]) yield asSent(each);
}

function asSent(conversation: unknown): Held | Unsent {
  const title = [field(conversation, "title"), field(conversation, "name")].find((text) => typeof text === "string") ?? null;
  try {
    return { text: new TextEncoder().encode(JSON.stringify(slimmed(conversation))), title };
  } catch {
    return { title, why: "notJson" }; // too deep to be written again
  }
}

const field = (value: unknown, name: string): unknown => (isObject(value) ? value[name] : undefined);
