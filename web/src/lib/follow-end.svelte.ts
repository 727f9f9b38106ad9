/**
 * Keeps a scroller at its end while its content grows, but only while the reader is there. Scrolling up lets go;
 * coming back to the end takes hold again, though not where the page itself went there to show something.
 */
const NEAR = 32;
/** Heights are told in whole pixels, places are not. */
const ROUNDING = 2;
/** Without one of these within the scroller, or a key, it was not the reader who scrolled. */
const READERS_OWN = ["wheel", "touchmove", "pointerdown"] as const;
const SCROLL_KEYS = new Set(["PageUp", "ArrowUp", "Home", " "]);
/** So long after one of these, or after the pointer is let go, the browser may still scroll for the reader. */
const SCROLLING_MS = 1_000;

export class FollowEnd {
  following = $state(true);
  /** Whether the end is in view, followed or not. */
  near = $state(true);
  /** Something is shown by the page, and the reader has not scrolled since. */
  #shows = false;
  #scroller: HTMLElement | null = null;
  #lastTop = 0;
  #lastHeight = 0;
  #lastLength = 0;
  /** Until then a scroll may be the reader's whatever else happens. */
  #scrollsUntil = 0;

  readonly attach = (scroller: HTMLElement): (() => void) => {
    this.#scroller = scroller;
    const scrolled = (): void => this.#scrolled(scroller);
    const over = new AbortController();
    const grown = new ResizeObserver(() => {
      if (this.following) this.#jump(scroller);
      else this.near = leftOf(scroller) <= NEAR;
    });
    grown.observe(scroller);
    if (scroller.firstElementChild) grown.observe(scroller.firstElementChild);
    scroller.addEventListener("scroll", scrolled, { signal: over.signal, passive: true });
    const listens = { signal: over.signal, passive: true };
    for (const act of READERS_OWN) scroller.addEventListener(act, (event) => this.#acted(event), listens);
    addEventListener("keydown", (event) => this.#acted(event), listens); // the focus may be anywhere
    for (const act of ["pointerup", "pointercancel"] as const) addEventListener(act, () => this.#letGoOf(), listens);
    return () => {
      grown.disconnect();
      over.abort();
      this.#scroller = null;
    };
  };

  /** Go to the end and stay there. */
  toEnd(): void {
    this.#shows = false;
    this.following = true;
    if (this.#scroller) this.#jump(this.#scroller);
  }

  /** Stay where we are, whatever grows, until the reader scrolls: this place may be near the end, and is not the end. */
  letGo(): void {
    this.#shows = true;
    this.following = false;
  }

  #jump(scroller: HTMLElement): void {
    scroller.scrollTop = scroller.scrollHeight;
    this.#note(scroller);
  }

  #scrolled(scroller: HTMLElement): void {
    const { scrollTop, clientHeight } = scroller;
    const left = leftOf(scroller);
    // While following, the browser's own scroll anchoring is off (see ConversationView), so only the reader goes up;
    // but where the window or the message box has just changed its height, it is the browser that moved the text, and
    // so it is where the text has: it may have been shorter for a moment, and WebKit tells of that only afterwards.
    const sameText = scroller.scrollHeight === this.#lastLength || performance.now() < this.#scrollsUntil;
    const isReaders = clientHeight === this.#lastHeight && sameText;
    // However little they go: where the text grows with every frame, they would never get further than that.
    if (isReaders && scrollTop < this.#lastTop - 1 && left >= ROUNDING) this.following = false;
    else if (left <= NEAR && !this.#shows) this.following = true;
    this.#note(scroller);
  }

  #acted(event: Event): void {
    this.#shows = false;
    if (event instanceof KeyboardEvent && !SCROLL_KEYS.has(event.key)) return;
    this.#scrollsUntil = event.type === "pointerdown" ? Infinity : performance.now() + SCROLLING_MS;
  }

  #letGoOf(): void {
    if (this.#scrollsUntil === Infinity) this.#scrollsUntil = performance.now() + SCROLLING_MS;
  }

  #note(scroller: HTMLElement): void {
    this.#lastTop = scroller.scrollTop;
    this.#lastLength = scroller.scrollHeight;
    this.#lastHeight = scroller.clientHeight;
    this.near = leftOf(scroller) <= NEAR;
  }
}

function leftOf({ scrollHeight, scrollTop, clientHeight }: HTMLElement): number {
  return scrollHeight - scrollTop - clientHeight;
}
