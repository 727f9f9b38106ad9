/** The budgets that apply to the reader, and the one that is nearest to its end. */
import { getBudgets } from "../api/client.ts";
import { ApiFailure } from "../api/failure.ts";
import type { Budget } from "../api/wire.ts";
import { readOwn, saveOwn } from "../lib/saved.ts";
import { identity } from "../sign-in/identity.svelte.ts";

const WARN_FROM = 0.8;
const PUT_AWAY = "budget-put-away";

export const isUsedUp = (budget: Budget): boolean => budget.spent >= budget.limit;

const share = ({ spent, limit }: Budget): number => (limit > 0 ? spent / limit : 1);

/** The budget of which most is used. */
export function fullest(budgets: readonly Budget[]): Budget | null {
  return budgets.toSorted((a, b) => share(b) - share(a))[0] ?? null;
}

/** Whether so much of it is used that one speaks of it unasked. */
export const isNearlyUsed = (budget: Budget): boolean => share(budget) >= WARN_FROM;

/** A warning that was put away stays away for its period; that nothing is left is said once more. */
const warningOf = (budget: Budget): string => `${budget.scope} ${budget.period} ${isUsedUp(budget) ? "used-up" : "near"}`;

class Budgets {
  #all = $state.raw<readonly Budget[]>([]);
  #putAway = $state<string | null>(null);
  readonly fullest = $derived(fullest(this.#all));
  readonly warning = $derived.by(() => {
    const { fullest } = this;
    return fullest && isNearlyUsed(fullest) && warningOf(fullest) !== this.#putAway ? fullest : null;
  });

  /** Ask, where any apply: at the start, and when a turn has ended or was refused. */
  async load(): Promise<void> {
    if (!identity.me?.budgets) return;
    this.#putAway = readOwn(PUT_AWAY);
    try {
      this.#all = await getBudgets();
    } catch (error) {
      // The server refuses by itself what no budget has room for; the warning is a courtesy.
      if (!(error instanceof ApiFailure)) throw error;
    }
  }

  putAway(budget: Budget): void {
    this.#putAway = warningOf(budget);
    saveOwn(PUT_AWAY, this.#putAway);
  }
}

export const budgets = new Budgets();
