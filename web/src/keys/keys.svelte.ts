/** The reader's keys, or everybody's for an admin: asked for when their screen is opened, and changed here as they change there. */
import * as api from "../api/accounts.ts";
import type { EachKey, Key } from "../api/accounts-wire.ts";
import { ApiFailure } from "../api/failure.ts";
import { isPast } from "./past.ts";

export class KeyList {
  all = $state.raw<readonly Key[]>([]);
  /** What the owners of everybody's keys are called, by id; empty where the keys are all the reader's. */
  owners = $state.raw<Readonly<Record<string, string>>>({});
  each = $state.raw<EachKey>({});
  state = $state<"loading" | "ready" | "failed">("loading");
  readonly active = $derived(this.all.filter((key) => !isPast(key, Date.now())));
  readonly past = $derived(this.all.filter((key) => isPast(key, Date.now())));

  async load(everybody: boolean): Promise<void> {
    this.state = "loading";
    try {
      const { keys, users, each } = await api.listKeys(everybody);
      this.all = keys.toSorted((a, b) => b.created - a.created);
      this.owners = everybody ? users : {};
      this.each = each;
      this.state = "ready";
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      this.state = "failed";
    }
  }

  /** Returns the key's text, which nobody can ask for again. */
  async create(wish: api.KeyWish): Promise<{ readonly key: Key; readonly secret: string }> {
    const made = await api.createKey(wish);
    this.all = [made.key, ...this.all];
    return made;
  }

  async revoke(id: string): Promise<void> {
    const revoked = await api.revokeKey(id);
    this.all = this.all.map((key) => (key.id === id ? revoked : key));
  }
}
