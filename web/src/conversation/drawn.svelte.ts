/** How much of a long conversation is on the page: its end at once, the rest whenever the browser has a moment, or before it is printed. */
import { tick } from "svelte";
import { part } from "../lib/part.ts";
import { addressOf, route } from "../lib/route.svelte.ts";
import { whenIdle } from "../lib/when-idle.ts";
import type { OpenConversation } from "./open.svelte.ts";
import type { Entry } from "./tree.ts";

const AT_ONCE = 40;
const printing = part(() => import("./printing.ts"));

/** The conversation that is to be printed as soon as it is on the page. */
const toPrint = $state<{ id: string | null }>({ id: null });

/** Open a conversation, and print it. */
export function printConversation(id: string): void {
  toPrint.id = id;
  route.go(addressOf(id));
}

export class Drawn {
  #budget = $state(AT_ONCE);
  readonly entries: readonly Entry[] = $derived.by(() => this.#open().entries.slice(-this.#budget));
  readonly #open: () => OpenConversation;

  constructor(open: () => OpenConversation) {
    this.#open = open;
    $effect(() => {
      const { length } = open().entries;
      if (length === 0 || this.#budget === Infinity) return;
      const more = length > this.#budget ? this.#budget + AT_ONCE : Infinity;
      return whenIdle(() => (this.#budget = more));
    });
    $effect(() => {
      if (toPrint.id !== open().id) return;
      toPrint.id = null;
      void tick().then(() => this.print());
    });
  }

  /** All of it, at once. */
  all(): void {
    this.#budget = Infinity;
  }

  /** Whether the browser's own printing would leave something out. */
  get isPartial(): boolean {
    const open = this.#open();
    if (open.state === "loading" || open.hasEarlier || this.entries.length < open.entries.length) return true;
    return [...document.images].some((image) => !image.complete);
  }

  /** Print all that can be had of it. Where nothing can be fetched, there is no more of it to be had either. */
  async print(): Promise<void> {
    const fetched = await printing().catch(() => null);
    if (fetched) await fetched.printWhole(this.#open(), this);
    else print();
  }
}
