/**
 * What is open over the page: dialogs, menus, on a narrow screen the list of conversations. Back closes the innermost.
 *
 * Each has an entry of the history, with the address of the page below it; the entry's state says how many are open
 * there. Once the page has settled after a change, the history follows: what took another's place has its entry, and
 * what was closed by itself gives its entry back, by going back. That takes the browser a moment, and all else that the
 * page wants of the history waits for it. Where it does not come there, since the entries below are gone, as after
 * the reader cleared the browser's history, the entry that it stays at is taken for the one that was wanted.
 */
import { tick } from "svelte";

interface State {
  readonly overlays: number;
}

/** So long the browser may take to go back: on a slow phone it is tenths of a second. */
const GOING_MS = 1_000;

const depthNow = (): number => (history.state as State | null)?.overlays ?? 0;

class Overlays {
  /** What closes each, the outermost first. */
  #open: (() => void)[] = [];
  /** How many the entry is for that the browser is at. After a reload nothing is open, and it may be for some. */
  #depth = depthNow();
  #isGoing = false;
  #late: ReturnType<typeof setTimeout> | undefined;
  /** What waits, and below how many. */
  readonly #waiting: { readonly depth: number; readonly act: () => void }[] = [];

  constructor() {
    addEventListener("popstate", () => this.#arrived());
    this.#follow();
  }

  /** Whether the entry that the browser is at, or comes from, is not the page's own. */
  get areOver(): boolean {
    return this.#depth > 0 || this.#isGoing;
  }

  /** Something is open now that `close` closes. Returns what to call once it is closed, however that came about. */
  add(close: () => void): () => void {
    this.#open.push(close);
    this.#follow();
    return () => {
      this.#open = this.#open.filter((other) => other !== close);
      this.#follow();
    };
  }

  /** Go to an address: where something is open, in place of its entry, so that Back leads to the page below it. */
  leaveFor(address: string): void {
    this.#do(1, () => {
      if (this.#depth > 0) history.replaceState(null, "", address);
      else history.pushState(null, "", address);
    });
  }

  /** Do something with the entry of the page itself. */
  below(act: () => void): void {
    this.#do(0, act);
  }

  #do(depth: number, act: () => void): void {
    this.#waiting.push({ depth, act });
    this.#act();
    this.#follow();
  }

  #act(): void {
    for (let next = this.#waiting[0]; next && !this.#isGoing; next = this.#waiting[0]) {
      if (this.#depth > next.depth) return this.#goBack();
      this.#waiting.shift();
      next.act();
      this.#depth = depthNow();
    }
  }

  #follow(): void {
    void tick().then(() => {
      this.#act();
      if (this.#isGoing) return;
      if (this.#depth > this.#open.length) this.#goBack();
      while (this.#depth < this.#open.length) history.pushState({ overlays: ++this.#depth } satisfies State, "");
    });
  }

  /** Step by step: below an entry that Forward led to may lie other ones than those it was opened over. */
  #goBack(): void {
    this.#isGoing = true;
    history.back();
    this.#late = setTimeout(() => this.#stayed(), GOING_MS);
  }

  #stayed(): void {
    this.#isGoing = false;
    this.#depth -= 1;
    history.replaceState(this.#depth > 0 ? ({ overlays: this.#depth } satisfies State) : null, "");
    this.#follow();
  }

  #arrived(): void {
    clearTimeout(this.#late);
    const isByReader = !this.#isGoing;
    this.#isGoing = false;
    this.#depth = depthNow();
    if (isByReader) for (const close of this.#open.splice(this.#depth).reverse()) close();
    this.#follow();
  }
}

export const overlays = new Overlays();
