/** Show a found message where the words that were searched for stand, and mark them and it. */
import { keepPlace } from "../lib/hold-place.ts";
import { densest, type Span, spansOf } from "./words.ts";

const TINTED = 2_500;
const MARK = "found";
const MOST_MARKS = 500;
const TEXTS = ".bubble, .prose";
/** What begins another line, so that no word goes on over it. */
const BLOCK = "p, li, h4, h5, h6, pre, td, th, label, blockquote, .prose, .bubble";
/** The reader goes elsewhere by one of these. */
const READERS_OWN = ["wheel", "touchmove", "pointerdown", "keydown", "click"] as const;

interface Piece {
  readonly node: Text;
  readonly start: number;
}

/**
 * Returns how to end it: the marks stay until then. The message is kept in view while its text is drawn anew and what is
 * around it finds its height, but only until the reader does something.
 */
export function showFound(message: HTMLElement, words: string): () => void {
  const scroller = message.closest<HTMLElement>(".scroller");
  const over = new AbortController();
  let place: HTMLElement | Range | null = null;
  let isReaders = false;
  let frame = 0;
  const put = (): void => {
    if (scroller && place && !isReaders) toMiddle(scroller, message, place);
  };
  const show = (): void => {
    place = markWords(message, words) ?? message;
    put();
  };
  const later = (frames: number): void => {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(() => (frames > 1 ? later(frames - 1) : show()));
  };

  message.classList.add("found");
  message.dispatchEvent(new Event("found"));
  const tint = setTimeout(() => message.classList.remove("found"), TINTED);
  const letGo = scroller ? keepPlace(scroller, put) : (): void => {};
  show();
  // What is around it may have found its height without the whole becoming another.
  later(2);
  const drawn = new MutationObserver(() => {
    place = null; // its words are elsewhere
    later(2);
  });
  drawn.observe(message, { childList: true, subtree: true });
  const readers = (): void => {
    isReaders = true;
    letGo();
  };
  for (const act of READERS_OWN) addEventListener(act, readers, { signal: over.signal, passive: true, capture: true });
  return () => {
    over.abort();
    drawn.disconnect();
    letGo();
    cancelAnimationFrame(frame);
    clearTimeout(tint);
    message.classList.remove("found");
    CSS.highlights?.delete(MARK);
  };
}

/** Mark the words, where the browser can without touching the text; returns where most of them are together. */
function markWords(message: HTMLElement, words: string): Range | null {
  const { text, pieces } = textOf(message);
  const spans = spansOf(words, text);
  if (typeof Highlight === "function") CSS.highlights.set(MARK, new Highlight(...spans.slice(0, MOST_MARKS).map((span) => rangeOf(pieces, span))));
  const best = densest(spans);
  return best && rangeOf(pieces, best);
}

function textOf(message: HTMLElement): { text: string; pieces: Piece[] } {
  let text = "";
  let block: Element | null = null;
  const pieces: Piece[] = [];
  for (const part of message.querySelectorAll(TEXTS)) {
    const nodes = document.createTreeWalker(part, NodeFilter.SHOW_TEXT);
    while (nodes.nextNode()) {
      const node = nodes.currentNode as Text;
      if (node.parentElement?.closest(".md-code-head")) continue;
      const its = node.parentElement?.closest(BLOCK) ?? null;
      if (its !== block || node.previousSibling?.nodeName === "BR") text += "\n";
      block = its;
      pieces.push({ node, start: text.length });
      text += node.data;
    }
  }
  return { text, pieces };
}

function rangeOf(pieces: readonly Piece[], [start, end]: Span): Range {
  const range = document.createRange();
  const first = pieces.findLast((piece) => piece.start <= start);
  const last = pieces.findLast((piece) => piece.start < end);
  if (first) range.setStart(first.node, start - first.start);
  if (last) range.setEnd(last.node, Math.min(end - last.start, last.node.length));
  return range;
}

/** A message that is higher than the view is shown from its beginning. */
function toMiddle(scroller: HTMLElement, message: HTMLElement, place: HTMLElement | Range): void {
  const view = scroller.getBoundingClientRect();
  const { top, height } = place.getBoundingClientRect();
  const above = Math.max(0, (view.height - height) / 2);
  const gap = height < view.height ? above : parseFloat(getComputedStyle(message).scrollMarginTop);
  scroller.scrollTop += top - view.top - gap;
}
