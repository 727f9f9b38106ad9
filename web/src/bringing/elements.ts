/** The elements of a JSON array out of a stream, one after the other: the array need not fit into memory. */

/** The longest element that is read. A conversation of ChatGPT with all that its searches found has some megabytes. */
const ELEMENT_BYTES = 64 * 1024 * 1024;

/** What is no element: too long, or the end came before it was whole. */
export type Broken = "tooLong" | "cutOff";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const isOpening = (sign: number): boolean => sign === 0x7b || sign === 0x5b;
const isClosing = (sign: number): boolean => sign === 0x7d || sign === 0x5d;

/**
 * Yield elements as bytes. A file that is one object has itself as its only one; one of several objects, as lines, each of
 * them.
 */
export async function* elementsOf(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array<ArrayBuffer> | Broken> {
  const splitter = new Splitter();
  for await (const piece of pieces) yield* splitter.take(piece);
  if (splitter.isWithin) yield "cutOff";
}

class Splitter {
  #depth = 0;
  /** The depth between elements: 1 within an array, else 0. */
  #floor = 0;
  #isText = false;
  #isEscaped = false;
  #hasBegun = false;
  #parts: Uint8Array[] = [];
  #held = 0;
  #isTooLong = false;

  get isWithin(): boolean {
    return this.#depth > 0 || this.#isText;
  }

  *take(piece: Uint8Array): Generator<Uint8Array<ArrayBuffer> | Broken> {
    let begin = this.#depth > this.#floor ? 0 : -1;
    for (let at = 0; at < piece.length; at += 1) {
      const sign = piece[at] as number;
      if (this.#isText) {
        if (this.#isEscaped) this.#isEscaped = false;
        else if (sign === BACKSLASH) this.#isEscaped = true;
        else if (sign === QUOTE) this.#isText = false;
      } else if (sign === QUOTE) this.#isText = true;
      else if (isOpening(sign)) {
        if (!this.#hasBegun) {
          this.#hasBegun = true;
          if (sign === 0x5b) {
            this.#floor = this.#depth = 1;
            continue;
          }
        }
        if (this.#depth === this.#floor) begin = at;
        this.#depth += 1;
      } else if (isClosing(sign)) {
        this.#depth -= 1;
        if (this.#depth < this.#floor) {
          this.#floor = this.#depth = 0;
          this.#hasBegun = false;
        } else if (this.#depth === this.#floor) {
          this.#keep(piece.subarray(begin, at + 1));
          begin = -1;
          yield this.#whole();
        }
      }
    }
    if (begin >= 0) this.#keep(piece.slice(begin));
  }

  #keep(part: Uint8Array): void {
    this.#held += part.length;
    if (this.#held > ELEMENT_BYTES) [this.#isTooLong, this.#parts] = [true, []];
    else this.#parts.push(part);
  }

  #whole(): Uint8Array<ArrayBuffer> | Broken {
    const [parts, held, isTooLong] = [this.#parts, this.#held, this.#isTooLong];
    [this.#parts, this.#held, this.#isTooLong] = [[], 0, false];
    if (isTooLong) return "tooLong";
    const whole = new Uint8Array(held);
    let at = 0;
    for (const part of parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }
}
