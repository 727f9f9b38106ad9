/** Search as you type: one question at a time, the newest wins. */
import { searchConversations } from "../api/client.ts";
import { ApiFailure, isAbort } from "../api/failure.ts";
import type { SearchHit } from "../api/wire.ts";
import { isBegun } from "../lib/ime.ts";

const PAUSE = 120;
/** The server looks for words; a query of signs alone holds none. */
const LETTER_OR_DIGIT = /[\p{L}\p{N}]/u;

export class Search {
  query = $state("");
  hits = $state.raw<readonly SearchHit[]>([]);
  /** What the hits answer; null while there is none. */
  answered = $state<string | null>(null);
  failed = $state(false);
  #timer: ReturnType<typeof setTimeout> | undefined;
  #abort: AbortController | null = null;

  /** Where nothing was asked yet since a first syllable is only begun, the list stays too. */
  get active(): boolean {
    return this.query.trim() !== "" && !(isBegun(this.query) && this.answered === null && !this.failed);
  }

  get hasWords(): boolean {
    return LETTER_OR_DIGIT.test(this.query);
  }

  change(query: string): void {
    this.query = query;
    clearTimeout(this.#timer);
    this.#abort?.abort();
    if (isBegun(query)) return;
    if (this.hasWords) this.#timer = setTimeout(() => void this.#ask(query.trim()), PAUSE);
    else this.#forget();
  }

  #forget(): void {
    this.hits = [];
    this.answered = null;
    this.failed = false;
  }

  async #ask(query: string): Promise<void> {
    const abort = new AbortController();
    this.#abort = abort;
    try {
      const hits = await searchConversations(query, abort.signal);
      if (abort.signal.aborted) return;
      this.hits = hits;
      this.answered = query;
      this.failed = false;
    } catch (error) {
      if (isAbort(error)) return;
      if (!(error instanceof ApiFailure)) throw error;
      this.failed = true;
    }
  }
}
