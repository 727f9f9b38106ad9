/** Whether the page is being put on paper just now: what is only for paper stands there in time. */
import { flushSync } from "svelte";

class Paper {
  isPrinting = $state(false);

  constructor() {
    addEventListener("beforeprint", () => this.#set(true));
    addEventListener("afterprint", () => this.#set(false));
  }

  #set(now: boolean): void {
    this.isPrinting = now;
    flushSync(); // the browser waits for nobody
  }
}

export const paper = new Paper();
