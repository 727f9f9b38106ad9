/** Elements of an export as bodies of requests: each within its limits, with the images that fit. */
import type { Broken } from "./elements.ts";
import type { FillImages } from "./filling.ts";
import { shownIn } from "./shown.ts";
import { slimmed } from "./slim.ts";
import { isObject } from "./values.ts";

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
  readonly #fill: FillImages;
  #held: Held[] = [];
  #bytes = 0;

  /** `most`: the longest body that the server takes. `fill` puts the images of a conversation in. */
  constructor(most: number, fill: FillImages) {
    this.#most = most - AROUND_BYTES;
    this.#fill = fill;
  }

  /** Take an element in; yield the bodies that are ready, and what of it will not be sent. */
  async *add(element: Uint8Array | Broken): AsyncGenerator<Body | Unsent> {
    const found = typeof element === "string" ? element : conversationsIn(element);
    if (typeof found === "string") yield { title: null, why: found };
    else {
      for (const conversation of found) {
        const sent = await this.#asSent(conversation);
        if ("why" in sent) yield sent;
        else yield* this.#hold(sent);
      }
    }
  }

  async #asSent(conversation: unknown): Promise<Held | Unsent> {
    const title = [field(conversation, "title"), field(conversation, "name")].find((text) => typeof text === "string") ?? null;
    const slim = slimmed(conversation);
    const shown = shownIn(slim);
    const text = written(slim);
    if (!text) return { title, why: "notJson" }; // too deep to be written again
    if (text.length > this.#most) return { title, why: "tooLarge" };
    const isFilled = shown.length > 0 && (await this.#fill(slim, shown, this.#most - text.length));
    return { text: (isFilled && written(slim)) || text, title };
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

/** The conversation that an element is, or those that stand in it. A line of our own export that says what the file is has none. */
function conversationsIn(element: Uint8Array): readonly unknown[] | "notJson" {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(element));
  } catch {
    return "notJson";
  }
  if (["daehwa-export", "end"].includes(field(value, "type") as string)) return [];
  const inner = Array.isArray(value) ? value : field(value, "conversations");
  return Array.isArray(inner) ? inner : [value];
}

function written(conversation: unknown): Uint8Array<ArrayBuffer> | null {
  try {
    return new TextEncoder().encode(JSON.stringify(conversation));
  } catch {
    return null;
  }
}

const field = (value: unknown, name: string): unknown => (isObject(value) ? value[name] : undefined);
