/** The budgets that apply to the reader, and the one that is nearest to its end. */
import { getBudgets } from "../api/client.ts";
import { ApiFailure } from "../api/failure.ts";
import type { Budget, NamedBudget } from "../api/wire.ts";
import { readOwn, saveOwn } from "../lib/saved.ts";
import { shareOf, WARN_FROM } from "./share.ts";

const PUT_AWAY = "budget-put-away";

export const isUsedUp = (budget: Budget): boolean => budget.spent >= budget.limit;

const share = ({ spent, limit }: Budget): number => shareOf(spent, limit);

/** Whether the period is over in which it had no room: what is left of it now is another sum. */
export const hasRenewed = ({ renews }: NamedBudget, now: number): boolean => renews !== null && renews <= now;

/** Whether so much of it is used that one speaks of it unasked. */
export const isNearlyUsed = (budget: Budget): boolean => share(budget) >= WARN_FROM;

/** The budget to be spoken of: the fullest of those that are nearly used and whose warning was not put away. */
export function spokenOf(budgets: readonly Budget[], putAway: readonly string[]): Budget | null {
  const near = budgets.filter((budget) => isNearlyUsed(budget) && !putAway.includes(warningOf(budget)));
  return near.toSorted((a, b) => share(b) - share(a))[0] ?? null;
}

/** A warning that was put away stays away for its period; that nothing is left is said once more. */
export const warningOf = (budget: Budget): string => `${budget.scope} ${budget.period} ${isUsedUp(budget) ? "used-up" : "near"}`;

class Budgets {
  #all = $state.raw<readonly Budget[]>([]);
  #putAway = $state.raw<readonly string[]>([]);
  readonly warning = $derived(spokenOf(this.#all, this.#putAway));

  /** Take in how they stand, as is told with the models that they pay for. */
  take(all: readonly Budget[]): void {
    this.#putAway = readOwn(PUT_AWAY)?.split("\n") ?? [];
    this.#all = all;
  }

  /** Ask again, where any apply: a turn has ended or was refused. */
  async load(): Promise<void> {
    if (this.#all.length === 0) return;
    try {
      this.take(await getBudgets());
    } catch (error) {
      // The server refuses by itself what no budget has room for; the warning is a courtesy.
      if (!(error instanceof ApiFailure)) throw error;
    }
  }

  /** How a budget stands that had no room; null where the reader is not told. */
  standing({ scope, kind }: NamedBudget): Budget | null {
    return this.#all.find((budget) => budget.scope === scope && budget.kind === kind) ?? null;
  }

  putAway(budget: Budget): void {
    const others = this.#all.map(warningOf).filter((warning) => this.#putAway.includes(warning));
    this.#putAway = [...others, warningOf(budget)];
    saveOwn(PUT_AWAY, this.#putAway.join("\n"));
  }
}

export const budgets = new Budgets();
