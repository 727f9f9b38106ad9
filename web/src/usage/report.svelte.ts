/** The usage of a period, as the server adds it up. What was there stays until the new is. */
import { getUsage, type UsageQuery } from "../api/accounts.ts";
import type { UsageReport } from "../api/accounts-wire.ts";
import { ApiFailure, isAbort } from "../api/failure.ts";

export class Report {
  shown = $state.raw<UsageReport | null>(null);
  state = $state<"loading" | "ready" | "failed">("loading");
  #abort = new AbortController();

  async load(query: UsageQuery): Promise<void> {
    this.#abort.abort();
    this.#abort = new AbortController();
    this.state = "loading";
    try {
      this.shown = await getUsage(query, this.#abort.signal);
      this.state = "ready";
    } catch (error) {
      if (isAbort(error)) return;
      if (!(error instanceof ApiFailure)) throw error;
      this.state = "failed";
    }
  }
}
