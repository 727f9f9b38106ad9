import { tick } from "svelte";

/**
 * The frames after a change in which heights still become others: what was never drawn has a guessed one until then, and
 * a frame later what that brought near has.
 */
const FRAMES = 3;

/**
 * Keep an element where the reader sees it while what is above it becomes another; to be called before it does. Returns
 * what ends that early.
 *
 * Some browsers would see to it themselves, though not at the very top, and not always; meanwhile they are told not to,
 * or it would move twice.
 */
export function holdPlace(scroller: HTMLElement, seen: Element): () => void {
  let place = topOf(seen);
  let scrolled = scroller.scrollTop;
  let frame = 0;
  let frames = 0;
  let over = false;

  function hold(): void {
    if (over || !seen.isConnected) return;
    place -= scroller.scrollTop - scrolled; // that was the reader
    scroller.scrollTop += topOf(seen) - place;
    scrolled = scroller.scrollTop;
  }

  function next(): void {
    frames += 1;
    if (frames > FRAMES) end();
    else frame = requestAnimationFrame(next);
  }

  function end(): void {
    over = true;
    cancelAnimationFrame(frame);
    heights.disconnect();
    scroller.style.overflowAnchor = "";
  }

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

/** Returns the first of these elements, which stand below each other, that the reader sees at least a part of. */
export function firstSeen(scroller: HTMLElement, elements: Iterable<Element>): Element | null {
  const above = topOf(scroller);
  for (const element of elements) if (element.getBoundingClientRect().bottom > above) return element;
  return null;
}

function topOf(element: Element): number {
  return element.getBoundingClientRect().top;
}
