/** Whether the server can be reached, learned from the browser and from requests that fail or succeed. */
import { REACHABLE } from "../api/event-stream.ts";

type Reach = "online" | "offline" | "unreachable";

const FIRST_PROBE = 1_000;
const LONGEST_PROBE = 10_000;

class Connection {
  reach = $state<Reach>(navigator.onLine ? "online" : "offline");
  readonly #listeners = new Set<() => void>();
  #probe: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    addEventListener("offline", () => this.#lose("offline"));
    addEventListener("online", () => void this.#ask(FIRST_PROBE));
  }

  /** Call back each time the server can be reached again. */
  onBack(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A request got no answer at all. */
  failed(): void {
    if (this.reach === "online") this.#lose(navigator.onLine ? "unreachable" : "offline");
  }

  succeeded(): void {
    clearTimeout(this.#probe);
    if (this.reach === "online") return;
    this.reach = "online";
    dispatchEvent(new Event(REACHABLE));
    for (const listener of this.#listeners) listener();
  }

  #lose(reach: Reach): void {
    this.reach = reach;
    clearTimeout(this.#probe);
    this.#probe = setTimeout(() => void this.#ask(FIRST_PROBE * 2), FIRST_PROBE);
  }

  async #ask(next: number): Promise<void> {
    clearTimeout(this.#probe);
    if (navigator.onLine) {
      const response = await fetch("/healthz", { cache: "no-store" }).catch(() => null);
      if (response?.ok) return this.succeeded();
      if (this.reach === "offline") this.reach = "unreachable";
    }
    this.#probe = setTimeout(() => void this.#ask(Math.min(next * 1.6, LONGEST_PROBE)), next);
  }
}

export const connection = new Connection();
