// When text is written to the page: once a frame at most, less often where a frame's work is dear, and never for long
// at a time.
import type { CodeBlock } from "./code-block.ts";
import { MarkdownDocument } from "./document.ts";
import { formulasDrawn } from "./formula.ts";
import type { MarkdownOptions } from "./options.ts";
import type { References } from "./parser.ts";

/** Text that is taken at once, at first: the first text of a page meets code that is not compiled yet. */
const FIRST_SLICE = 2 * 1024;
const LARGEST_SLICE = 16 * 1024;
/** A slice that took no longer than this is followed by one twice as large. */
const QUICK_MS = 2;
/** After this much work the page has its turn. */
const WORK_MS = 8;
/** Work is followed by a pause this many times as long, so that a message that is dear to show leaves the page free. */
const PAUSE = 5;
const HIDDEN_MS = 250;

let sliceLength = FIRST_SLICE;
/** Paper waits for nobody: it gets what stands on the page once the browser has said that it prints. */
let isPrinting = false;
const drawing = new Set<Stream>();
globalThis.addEventListener?.("beforeprint", () => {
  isPrinting = true;
  for (const stream of drawing) stream.takeRest();
});
globalThis.addEventListener?.("afterprint", () => (isPrinting = false));

export class Stream {
  private readonly codeBlocks = new Set<CodeBlock>();
  private readonly references = Object.create(null) as References;
  private document: MarkdownDocument;
  private source = "";
  /** Taken into the document so far. */
  private taken = 0;
  /** The end of a chunk that cannot be read without the next one: half of a CR LF, half of a surrogate pair. */
  private half = "";
  private frame: { cancel: () => void } | null = null;
  private notBefore = 0;
  private finishing: Promise<void> | null = null;
  private isDestroyed = false;

  constructor(
    private readonly into: HTMLElement,
    private readonly options: MarkdownOptions,
  ) {
    into.classList.add("md");
    this.document = new MarkdownDocument(into, options, this.codeBlocks, this.references);
  }

  append(text: string): void {
    if (this.finishing !== null) throw new Error("text after the end of the message");
    if (text === "" || this.isDestroyed) return;
    let joined = this.half + text;
    const half = /(?:\r|[\uD800-\uDBFF])$/.exec(joined);
    this.half = half?.[0] ?? "";
    joined = joined.slice(0, joined.length - this.half.length);
    this.source += joined.includes("\r") || joined.includes("\0") ? joined.replace(/\r\n?/g, "\n").replaceAll("\0", "\uFFFD") : joined;
    this.frame ??= this.nextFrame();
  }

  finish(): Promise<void> {
    this.finishing ??= this.drain();
    return this.finishing;
  }

  destroy(): void {
    this.isDestroyed = true;
    drawing.delete(this);
    this.frame?.cancel();
    this.frame = null;
    for (const block of this.codeBlocks) block.destroy();
  }

  takeRest(): void {
    while (this.taken < this.source.length) this.take();
    this.document.show();
  }

  private nextFrame(): { cancel: () => void } {
    const run = (): void => {
      this.frame = null;
      if (performance.now() < this.notBefore) this.frame = this.nextFrame();
      else this.writeFrame();
    };
    const isVisible = typeof requestAnimationFrame === "function" && !this.into.ownerDocument.hidden;
    if (isVisible) {
      const id = requestAnimationFrame(run);
      return { cancel: () => cancelAnimationFrame(id) };
    }
    const id = setTimeout(run, HIDDEN_MS);
    return { cancel: () => clearTimeout(id) };
  }

  private writeFrame(): void {
    const begun = performance.now();
    while (this.taken < this.source.length && performance.now() - begun < WORK_MS) this.take();
    this.document.show();
    const now = performance.now();
    this.notBefore = now + PAUSE * Math.max(0, now - begun - 2);
    if (this.taken < this.source.length) this.frame ??= this.nextFrame();
  }

  private take(): void {
    const begun = performance.now();
    // As much as is unfinished, at least: a block of any length is looked at a few times then, not once a slice.
    const slice = this.source.slice(this.taken, this.taken + Math.max(sliceLength, this.document.unfinished));
    this.taken += slice.length;
    this.document.feed(slice);
    if (slice.length < sliceLength) return;
    const isQuick = performance.now() - begun <= QUICK_MS;
    sliceLength = isQuick ? Math.min(sliceLength * 2, LARGEST_SLICE) : Math.max(sliceLength / 2, FIRST_SLICE);
  }

  private async drain(): Promise<void> {
    this.frame?.cancel();
    this.frame = null;
    this.source += this.half.replace("\r", "\n");
    await this.takeAll();
    if (this.isDestroyed) return;
    this.document.finish();
    if (this.document.hasReferences) await this.applyReferences();
    await Promise.all([...Array.from(this.codeBlocks, (block) => block.coloured), formulasDrawn()]);
  }

  /** A short text is written within this call; a long one gives the page its turns. */
  private async takeAll(): Promise<void> {
    let begun = performance.now();
    drawing.add(this);
    while (this.taken < this.source.length && !this.isDestroyed) {
      this.take();
      if (isPrinting || performance.now() - begun < WORK_MS || this.taken >= this.source.length) continue;
      await new Promise((resolve) => setTimeout(resolve));
      begun = performance.now();
    }
    drawing.delete(this);
  }

  /** Links may be defined below the text that they are in: with all definitions known, the same text is written again. */
  private async applyReferences(): Promise<void> {
    this.document = new MarkdownDocument(this.into, this.options, this.codeBlocks, this.references, true);
    this.taken = 0;
    await this.takeAll();
    if (!this.isDestroyed) this.document.finish();
  }
}
