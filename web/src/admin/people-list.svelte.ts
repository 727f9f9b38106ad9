/** The people as far as they were looked through, whoever came first at the beginning. */
import * as api from "../api/admin.ts";
import type { Person } from "../api/admin-wire.ts";
import { isBegun } from "../lib/ime.ts";
import { complain } from "../sign-in/complain.ts";

const PAGE = 50;
const MOST = 100;
/** How long nobody has to write before it is asked. */
const PAUSE = 150;

export class PeopleList {
  people = $state.raw<readonly Person[]>([]);
  /** How many there are, shown or not. */
  count = $state(0);
  query = $state("");
  hasMore = $state(false);
  isLoading = $state(false);
  readonly #list: typeof api.listPeople;
  #after: string | null = null;
  /** What was looked for when `#after` was told: it is a place in that list alone. */
  #found = "";
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Counts what was asked for, so that an answer from before is not taken for newer. */
  #asked = 0;

  constructor(list = api.listPeople) {
    this.#list = list;
  }

  /** Load what is shown once more. */
  load(wanted = Math.max(PAGE, this.people.length)): Promise<void> {
    const query = this.query.trim();
    return this.#ask(async (isNewest) => {
      const people: Person[] = [];
      let page: Awaited<ReturnType<typeof api.listPeople>>;
      let after: string | null = null;
      do {
        page = await this.#list({ query, after, limit: Math.min(MOST, wanted - people.length) });
        people.push(...page.people);
        after = page.after;
      } while (after !== null && people.length < wanted);
      if (!isNewest()) return;
      this.#found = query;
      this.#take(people, page.count, after);
    });
  }

  /** Nothing, while another list is asked for or about to be. */
  async more(): Promise<void> {
    const [query, after] = [this.#found, this.#after];
    if (this.isLoading || after === null || this.query.trim() !== query) return;
    try {
      await this.#ask(async (isNewest) => {
        const page = await this.#list({ query, after, limit: PAGE });
        if (isNewest()) this.#take([...this.people, ...page.people], page.count, page.after);
      });
    } catch (error) {
      complain(error);
    }
  }

  search(query: string): void {
    this.query = query;
    clearTimeout(this.#timer);
    if (isBegun(query)) return;
    this.#timer = setTimeout(() => void this.load(PAGE).catch(complain), PAUSE);
  }

  async #ask(what: (isNewest: () => boolean) => Promise<void>): Promise<void> {
    const asked = ++this.#asked;
    const isNewest = (): boolean => asked === this.#asked;
    this.isLoading = true;
    try {
      await what(isNewest);
    } finally {
      if (isNewest()) this.isLoading = false;
    }
  }

  #take(people: readonly Person[], count: number, after: string | null): void {
    this.people = people;
    this.count = count;
    this.#after = after;
    this.hasMore = after !== null;
  }
}
