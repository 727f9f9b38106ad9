/** The list of conversations as the sidebar shows it. */
import * as api from "../api/client.ts";
import { ApiFailure } from "../api/failure.ts";
import type { Conversation, ConversationPage } from "../api/wire.ts";
import { tellOtherTabs } from "../lib/tabs.ts";

const PAGE = 50;
const MOST = 100;

class ConversationList {
  items = $state.raw<readonly Conversation[]>([]);
  state = $state<"loading" | "ready" | "failed">("loading");
  hasMore = $state(false);
  /** Conversations that only this browser knows: the server has not taken their first question. */
  onlyHere: () => readonly Conversation[] = () => [];
  #after: string | null = null;
  #busy = false;
  /** Counts what was changed here, so that a list asked for before is not taken for newer. */
  #changes = 0;

  find(id: string): Conversation | undefined {
    return this.items.find((conversation) => conversation.id === id);
  }

  /** Take in one conversation as it is now, wherever it comes from. */
  put(conversation: Conversation): void {
    const others = this.items.filter((other) => other.id !== conversation.id);
    this.#changes += 1;
    this.items = conversation.archived ? others : [...others, conversation].sort(byPlace);
  }

  /** Change what is known here of a conversation, if it is known. */
  patch(id: string, changes: Partial<Conversation>): void {
    const known = this.find(id);
    if (known) this.put({ ...known, ...changes });
  }

  drop(id: string): void {
    this.#changes += 1;
    this.items = this.items.filter((conversation) => conversation.id !== id);
  }

  /** Load what is shown once more, from the top. */
  async refresh(): Promise<void> {
    const limit = Math.min(MOST, Math.max(PAGE, this.items.length));
    const before = this.#changes;
    try {
      // The first load names no limit: it is the server's to choose.
      const page = await api.listConversations(this.items.length <= PAGE ? {} : { limit });
      if (this.#changes !== before) return await this.refresh();
      this.#replaceTop(page);
      this.state = "ready";
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      if (this.items.length === 0) this.state = "failed";
    }
  }

  async more(): Promise<void> {
    if (this.#after === null || this.#busy) return;
    this.#busy = true;
    try {
      const page = await api.listConversations({ after: this.#after, limit: PAGE });
      const known = new Set(this.items.map((conversation) => conversation.id));
      this.items = [...this.items, ...page.conversations.filter((conversation) => !known.has(conversation.id))];
      this.#setCursor(page.after);
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
    } finally {
      this.#busy = false;
    }
  }

  async change(id: string, changes: api.ConversationChanges): Promise<void> {
    const before = this.find(id);
    this.patch(id, { ...changes, ...(changes.title === undefined ? {} : { title_source: "user" as const }) });
    try {
      this.put(await api.changeConversation(id, changes));
      tellOtherTabs(id);
    } catch (error) {
      if (before) this.put(before);
      throw error;
    }
  }

  async remove(id: string): Promise<void> {
    const before = this.find(id);
    this.drop(id);
    try {
      await api.deleteConversation(id);
      tellOtherTabs(id);
    } catch (error) {
      if (before) this.put(before);
      throw error;
    }
  }

  async restore(id: string): Promise<void> {
    this.put(await api.restoreConversation(id));
    tellOtherTabs(id);
  }

  /** Take the first page as it is; what was loaded below its end stays, with the cursor behind it. */
  #replaceTop(page: ConversationPage): void {
    const last = page.conversations.at(-1);
    const fresh = new Set(page.conversations.map((conversation) => conversation.id));
    const below =
      page.after === null || last === undefined
        ? []
        : this.items.filter((conversation) => !fresh.has(conversation.id) && byPlace(last, conversation) < 0);
    const listed = [...page.conversations, ...below];
    const known = new Set(listed.map((conversation) => conversation.id));
    const others = this.onlyHere().filter((conversation) => !known.has(conversation.id));
    this.items = [...listed, ...others.map((conversation) => this.find(conversation.id) ?? conversation)].sort(byPlace);
    if (below.length === 0) this.#setCursor(page.after);
  }

  #setCursor(after: string | null): void {
    this.#after = after;
    this.hasMore = after !== null;
  }
}

/** Pinned first, then newest; as the server orders them. */
function byPlace(a: Conversation, b: Conversation): number {
  return Number(b.pinned) - Number(a.pinned) || b.updated - a.updated || (a.id < b.id ? 1 : -1);
}

export const conversations = new ConversationList();
