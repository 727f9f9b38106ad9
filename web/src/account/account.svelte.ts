/** The reader's account, asked for when its screen is opened, and again after each change. */
import * as api from "../api/account.ts";
import type { Account } from "../api/account-wire.ts";
import { ApiFailure } from "../api/failure.ts";

export class OwnAccount {
  now = $state.raw<Account | null>(null);
  hasFailed = $state(false);

  async load(): Promise<void> {
    this.hasFailed = false;
    try {
      this.now = await api.getAccount();
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      this.hasFailed = this.now === null;
    }
  }

  async rename(name: string): Promise<void> {
    this.now = await api.changeAccount(name);
  }
}
