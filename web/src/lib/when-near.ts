/**
 * Draw what a message holds once the message is on the screen or a few screens from it; what is far costs nothing until
 * then, and what is read stays in its place.
 *
 * It is the message that is watched, and by its own scroller: what is inside of a message that the browser skips
 * (`content-visibility`) is nowhere for an observer, and a margin around the window means nothing within a scroller.
 */
import { firstSeen, holdPlace } from "./hold-place.ts";

/** Pixels, and screens: further than a browser begins to lay out what it skipped, which is at one and a half of them. */
const FAR = 2_500;
const SCREENS = 3;
const MESSAGE = "article";
const SCROLLER = ".scroller, dialog";

const watched = new WeakMap<HTMLElement, NearMessages>();

/** Draw what is far, too. */
export function drawAll(): void {
  for (const scroller of document.querySelectorAll<HTMLElement>(SCROLLER)) watched.get(scroller)?.drawAll();
}

/** On paper nothing is far. Once for all: a listener of each scroller's own would keep what has left the page. */
addEventListener("beforeprint", drawAll);

/** Call `act` when the message that this element is in is near; returns how to call it off. */
export function whenNear(element: Element, act: () => void): () => void {
  const message = element.closest(MESSAGE);
  const scroller = element.closest<HTMLElement>(SCROLLER);
  if (!message || !scroller) throw new Error("only what is in a message can wait to be near");
  const near = watched.get(scroller) ?? new NearMessages(scroller);
  watched.set(scroller, near);
  return near.add(message, act);
}

class NearMessages {
  readonly #scroller: HTMLElement;
  readonly #observer: IntersectionObserver;
  readonly #acts = new Map<Element, Set<() => void>>();
  /** Those that are near and not in view: one in a frame, so that they hold nothing up. */
  #soon: Element[] = [];
  #frame = 0;

  constructor(scroller: HTMLElement) {
    const far = Math.max(FAR, SCREENS * innerHeight);
    this.#scroller = scroller;
    this.#observer = new IntersectionObserver((entries) => this.#came(entries), { root: scroller, rootMargin: `${String(far)}px 0px` });
  }

  drawAll(): void {
    this.#draw([...this.#acts.keys()]);
  }

  add(message: Element, act: () => void): () => void {
    const acts = this.#acts.get(message) ?? new Set();
    this.#acts.set(message, acts.add(act));
    this.#observer.observe(message);
    return () => {
      acts.delete(act);
      if (acts.size === 0 && this.#acts.get(message) === acts) this.#forget(message);
    };
  }

  #came(entries: readonly IntersectionObserverEntry[]): void {
    const near = entries.filter((entry) => entry.isIntersecting).map((entry) => entry.target);
    this.#draw(near.filter((message) => this.#distance(message) === 0 || this.#moves(message)));
    this.#soon.push(...near);
    if (this.#frame === 0) this.#next();
  }

  #next(): void {
    this.#soon = this.#soon.filter((message) => this.#acts.has(message));
    this.#frame = this.#soon.length === 0 ? 0 : requestAnimationFrame(() => {
      const distances = new Map(this.#soon.map((message) => [message, this.#distance(message)]));
      this.#soon.sort((one, other) => (distances.get(one) ?? 0) - (distances.get(other) ?? 0));
      this.#draw(this.#soon.slice(0, 1));
      this.#next();
    });
  }

  #draw(messages: readonly Element[]): void {
    if (messages.some((message) => this.#moves(message))) this.#keepPlace(messages);
    for (const message of messages) {
      const acts = this.#acts.get(message);
      this.#forget(message);
      for (const act of acts ?? []) act();
    }
  }

  #forget(message: Element): void {
    this.#acts.delete(message);
    this.#observer.unobserve(message);
  }

  /** Hold the first in view of which nothing above the view is drawn now: what is drawn there grows upwards then. */
  #keepPlace(drawn: readonly Element[]): void {
    // At the end the page stays at the end.
    if (this.#scroller.matches(".following")) return;
    const inView = this.#inView();
    const above = this.#scroller.getBoundingClientRect().top;
    const kept = inView.find((message) => !drawn.includes(message) || message.getBoundingClientRect().top >= above) ?? inView[0];
    if (kept) holdPlace(this.#scroller, kept);
  }

  #inView(): Element[] {
    const messages: Element[] = [];
    let next = firstSeen(this.#scroller, this.#scroller.querySelectorAll(MESSAGE));
    while (next && this.#distance(next) === 0) {
      messages.push(next);
      next = next.nextElementSibling;
    }
    return messages;
  }

  /** How far it is from what is seen, in pixels. */
  #distance(message: Element): number {
    const view = this.#scroller.getBoundingClientRect();
    const place = message.getBoundingClientRect();
    return Math.max(0, view.top - place.bottom, place.top - view.bottom);
  }

  /** Whether what is seen would move with its height; that of what is skipped is the same whatever is in it. */
  #moves(message: Element): boolean {
    const isLaidOut = message.firstElementChild?.checkVisibility({ contentVisibilityAuto: true }) ?? true;
    return isLaidOut && message.getBoundingClientRect().top < this.#scroller.getBoundingClientRect().top;
  }
}
