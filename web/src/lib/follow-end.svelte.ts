/**
 * Keeps a scroller at its end while its content grows, but only while the reader is there. Scrolling up lets go;
 * coming back to the end takes hold again.
 */
const NEAR = 32;
/** Heights are told in whole pixels, places are not. */
const ROUNDING = 2;

export class FollowEnd {
  following = $state(true);
  #scroller: HTMLElement | null = null;
  #lastTop = 0;
  #lastHeight = 0;

  readonly attach = (scroller: HTMLElement): (() => void) => {
    this.#scroller = scroller;
    const scrolled = (): void => this.#scrolled(scroller);
    const grown = new ResizeObserver(() => {
      if (this.following) this.#jump(scroller);
    });
    grown.observe(scroller);
    if (scroller.firstElementChild) grown.observe(scroller.firstElementChild);
    scroller.addEventListener("scroll", scrolled, { passive: true });
    return () => {
      grown.disconnect();
      scroller.removeEventListener("scroll", scrolled);
      this.#scroller = null;
    };
  };

  /** Go to the end and stay there. */
  toEnd(): void {
    this.following = true;
    if (this.#scroller) this.#jump(this.#scroller);
  }

  /** Stay where we are, whatever grows. */
  letGo(): void {
    this.following = false;
  }

  #jump(scroller: HTMLElement): void {
    scroller.scrollTop = scroller.scrollHeight;
    this.#note(scroller);
  }

  #scrolled(scroller: HTMLElement): void {
    const { scrollTop, scrollHeight, clientHeight } = scroller;
    const left = scrollHeight - scrollTop - clientHeight;
    // While following, the browser's own scroll anchoring is off (see ConversationView), so only the reader goes up;
    // but where the window or the message box has just changed its height, it is the browser that moved the text.
    const sameHeight = clientHeight === this.#lastHeight;
    // However little they go: where the text grows with every frame, they would never get further than that.
    if (sameHeight && scrollTop < this.#lastTop - 1 && left >= ROUNDING) this.following = false;
    else if (left <= NEAR) this.following = true;
    this.#note(scroller);
  }

  #note(scroller: HTMLElement): void {
    this.#lastTop = scroller.scrollTop;
    this.#lastHeight = scroller.clientHeight;
  }
}
