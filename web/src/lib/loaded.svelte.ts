/** Something that a screen asks the server for when it is opened, and again when it may have changed. */
import { ApiFailure } from "../api/failure.ts";

export class Loaded<T> {
  now = $state.raw<T | null>(null);
  /** Why there is nothing to be seen. What was there before stays in sight. */
  failure = $state.raw<ApiFailure | null>(null);
  readonly #ask: () => Promise<T>;

  constructor(ask: () => Promise<T>) {
    this.#ask = ask;
    void this.load();
  }

  async load(): Promise<void> {
    this.failure = null;
    try {
      this.now = await this.#ask();
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      this.failure = error;
    }
  }
}
