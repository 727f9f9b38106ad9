/** The audit log as far as it was looked back, newest first. */
import * as api from "../api/admin.ts";
import type { AuditEvent } from "../api/admin-wire.ts";
import { ApiFailure } from "../api/failure.ts";
import { complain } from "../sign-in/complain.ts";

export class AuditLog {
  events = $state.raw<readonly AuditEvent[]>([]);
  people = $state.raw<Readonly<Record<string, string>>>({});
  next = $state<number | null>(null);
  failure = $state.raw<ApiFailure | null>(null);
  isLoading = $state(false);

  constructor() {
    void this.load();
  }

  async load(): Promise<void> {
    this.failure = null;
    try {
      await this.#read(null);
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      this.failure = error;
    }
  }

  async more(): Promise<void> {
    if (this.isLoading || this.next === null) return;
    try {
      await this.#read(this.next);
    } catch (error) {
      complain(error);
    }
  }

  async #read(before: number | null): Promise<void> {
    this.isLoading = true;
    try {
      const page = await api.listAuditEvents(before);
      this.events = [...(before === null ? [] : this.events), ...page.events];
      this.people = { ...this.people, ...page.people };
      this.next = page.next;
    } finally {
      this.isLoading = false;
    }
  }
}
