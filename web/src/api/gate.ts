/**
 * Whether requests may go out. Once the server says that nobody is signed in, none does until somebody is again;
 * turns wait here, and everything else fails at once, without asking. Until it is known who is signed in, turns wait
 * too: a question kept from before must not be asked in another person's name.
 */
export class Gate {
  #state: "unsure" | "open" | "shut" = "unsure";
  #onShut: () => void = () => undefined;
  readonly #waiting = new Set<() => void>();

  get isShut(): boolean {
    return this.#state === "shut";
  }

  /** Be told each time it shuts. */
  onShut(listener: () => void): void {
    this.#onShut = listener;
  }

  open(): void {
    this.#state = "open";
    for (const go of this.#waiting) go();
    this.#waiting.clear();
  }

  shut(): void {
    if (this.#state === "shut") return;
    this.#state = "shut";
    this.#onShut();
  }

  /** Wait until it is open; throws the signal's reason where that comes first. */
  async opened(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#state === "open") return;
    await new Promise<void>((resolve, reject) => {
      const aborted = (): void => {
        this.#waiting.delete(go);
        reject(signal.reason as Error);
      };
      const go = (): void => {
        signal.removeEventListener("abort", aborted);
        resolve();
      };
      this.#waiting.add(go);
      signal.addEventListener("abort", aborted, { once: true });
    });
  }
}

export const gate = new Gate();
