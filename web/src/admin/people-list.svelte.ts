/** The people as far as they were looked through, whoever came first at the beginning. */
import * as api from "../api/admin.ts";
import type { Person } from "../api/admin-wire.ts";
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
  #after: string | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Counts what was asked for, so that an answer from before is not taken for newer. */
  #asked = 0;

  /** Load what is shown once more. */
  async load(wanted = Math.max(PAGE, this.people.length)): Promise<void> {
    const asked = ++this.#asked;
    const people: Person[] = [];
    let page: Awaited<ReturnType<typeof api.listPeople>>;
    let after: string | null = null;
    do {
      page = await api.listPeople({ query: this.query.trim(), after, limit: Math.min(MOST, wanted - people.length) });
      people.push(...page.people);
      after = page.after;
    } while (after !== null && people.length < wanted);
    if (asked === this.#asked) this.#take(people, page.count, after);
  }

  async more(): Promise<void> {
    if (this.isLoading || this.#after === null) return;
    const asked = ++this.#asked;
    this.isLoading = true;
    try {
      const page = await api.listPeople({ query: this.query.trim(), after: this.#after, limit: PAGE });
      if (asked === this.#asked) this.#take([...this.people, ...page.people], page.count, page.after);
    } catch (error) {
      complain(error);
    } finally {
      this.isLoading = false;
    }
  }

  search(query: string): void {
    this.query = query;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.load(PAGE).catch(complain), PAUSE);
  }

  #take(people: readonly Person[], count: number, after: string | null): void {
    this.people = people;
    this.count = count;
    this.#after = after;
    this.hasMore = after !== null;
  }
}
