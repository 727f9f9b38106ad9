/** The found message that the address names, shown where it is and not at the end, and once: what comes above it later moves nothing. */
import { part } from "../lib/part.ts";
import type { Entry } from "./tree.ts";

/** Fetched with the first hit that is opened. */
const showing = part(() => import("./found.ts"));

interface Sought {
  readonly message: string;
  readonly words: string;
}

class LastSought {
  /** What was searched for when a hit was opened: an address names only the message. Each press is another one. */
  at = $state.raw<Sought | null>(null);
}

export const sought = new LastSought();

export class Found {
  #before: unknown = null;
  #leave = (): void => {};

  /** Look for it among these; returns whether it is shown now. */
  look(log: HTMLElement | undefined, entries: readonly Entry[], id: string | null): boolean {
    const search = sought.at?.message === id ? sought.at : null;
    const asked = search ?? id;
    if (asked === this.#before) return false;
    this.leave();
    // It may be what an answer was continued by.
    const entry = id === null ? undefined : entries.find(({ chain }) => chain.some((message) => message.id === id));
    const message = entry && log?.querySelector<HTMLElement>(`[data-message="${entry.head.id}"]`);
    if (!message) return false;
    this.#before = asked;
    this.#show(message, search?.words ?? "");
    return true;
  }

  #show(message: HTMLElement, words: string): void {
    let isOver = false;
    this.#leave = () => void (isOver = true);
    showing().then(
      ({ showFound }) => {
        if (!isOver) this.#leave = showFound(message, words);
      },
      () => message.scrollIntoView({ block: "center" }), // unmarked, where the server is away
    );
  }

  leave(): void {
    this.#leave();
    this.#leave = () => {};
    this.#before = null;
  }
}
