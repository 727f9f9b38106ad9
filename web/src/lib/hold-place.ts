import { tick } from "svelte";

/**
 * The frames after a change in which heights still become others: what was never drawn has a guessed one until then, and
 * a frame later what that brought near has. Where something had to be put right, as many again, up to `MOST`: a long text
 * comes in pieces.
 */
const FRAMES = 3;
const MOST = 60;
/** Less than this, in pixels, is not worth to end a scroll that is under way. */
const SMALLEST = 0.5;

interface Holding {
  /** Hold as long again, if what is held is still in view; returns whether it is. */
  goOn(): boolean;
  end(): void;
  /** End it for whoever asked to hold something else meanwhile. */
  callOff(): void;
}

/** Two that put right the same would do it twice. */
const holding = new WeakMap<Element, Holding>();

/**
 * Keep an element where the reader sees it while what is above it becomes another; to be called before it does. Where one
 * is held already, it goes on being that one. Returns what ends it early.
 *
 * Some browsers would see to it themselves, though not at the very top, and not always; meanwhile they are told not to,
 * or it would move twice.
 */
export function holdPlace(scroller: HTMLElement, seen: Element): () => void {
  const before = holding.get(scroller);
  if (before?.goOn()) return before.callOff;
  before?.end();
  let place = topOf(seen);
  let scrolled = scroller.scrollTop;
  let frame = 0;
  let frames = 0;
  let until = FRAMES;
  let over = false;

  function hold(): void {
    if (over || !seen.isConnected) return;
    place -= scroller.scrollTop - scrolled; // that was the reader
    const moved = topOf(seen) - place;
    if (Math.abs(moved) >= SMALLEST) {
      scroller.scrollTop += moved;
      prolong();
    }
    scrolled = scroller.scrollTop;
  }

  function prolong(): void {
    until = Math.min(frames + FRAMES, MOST);
  }

  function goOn(): boolean {
    hold();
    const view = scroller.getBoundingClientRect();
    const { top, bottom } = seen.getBoundingClientRect();
    if (!seen.isConnected || bottom <= view.top || top >= view.bottom || frames > MOST - FRAMES) return false;
    prolong();
    void tick().then(hold);
    return true;
  }

  function next(): void {
    frames += 1;
    if (frames > until) end();
    else frame = requestAnimationFrame(next);
  }

  function end(): void {
    if (over) return;
    hold();
    over = true;
    holding.delete(scroller);
    cancelAnimationFrame(frame);
    heights.disconnect();
    scroller.style.overflowAnchor = "";
  }

  holding.set(scroller, { goOn, end, callOff: end });
  scroller.style.overflowAnchor = "none";
  // It is told of a height after it is known and before it is painted.
  const heights = new ResizeObserver(hold);
  void tick().then(() => {
    if (over) return;
    hold();
    if (scroller.firstElementChild) heights.observe(scroller.firstElementChild);
    next();
  });
  return end;
}

/**
 * Put something in its place again whenever a height becomes another. Returns what ends it; until then nothing else is held
 * here.
 */
export function keepPlace(scroller: HTMLElement, put: () => void): () => void {
  holding.get(scroller)?.end();
  const heights = new ResizeObserver(put);
  const kept: Holding = {
    goOn: () => {
      void tick().then(put);
      return true;
    },
    end: () => {
      heights.disconnect();
      if (holding.get(scroller) !== kept) return;
      holding.delete(scroller);
      scroller.style.overflowAnchor = "";
    },
    callOff: () => {},
  };
  holding.set(scroller, kept);
  scroller.style.overflowAnchor = "none";
  heights.observe(scroller);
  if (scroller.firstElementChild) heights.observe(scroller.firstElementChild);
  return kept.end;
}

/** Hold what is read now of the conversation that this element is in; at the end the page stays at the end. */
export function holdSeen(element: Element): void {
  const scroller = element.closest<HTMLElement>(".scroller");
  const message = scroller && !scroller.matches(".following") ? firstSeen(scroller, scroller.querySelectorAll("article")) : null;
  if (!scroller || !message) return;
  holdPlace(scroller, firstSeen(scroller, message.querySelector(".prose")?.children ?? []) ?? message);
}

/** Returns the first of these elements, which stand below each other, that the reader sees at least a part of. */
export function firstSeen(scroller: HTMLElement, elements: ArrayLike<Element>): Element | null {
  const above = topOf(scroller);
  let from = 0;
  let to = elements.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((elements[middle]?.getBoundingClientRect().bottom ?? 0) > above) to = middle;
    else from = middle + 1;
  }
  return elements[from] ?? null;
}

function topOf(element: Element): number {
  return element.getBoundingClientRect().top;
}
