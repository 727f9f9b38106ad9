/** What calls used and cost, summed up. Pure. */
import type { Message, Usage } from "../api/wire.ts";

export interface Total {
  readonly calls: number;
  readonly input: number;
  readonly cached: number;
  readonly output: number;
  readonly reasoning: number;
  /** Micro-dollars, as far as prices are known. */
  readonly cost: number;
  /** How many calls have no known price. */
  readonly unpriced: number;
  /** How many were counted here, since the upstream counted nothing. */
  readonly estimated: number;
}

const NOTHING: Total = { calls: 0, input: 0, cached: 0, output: 0, reasoning: 0, cost: 0, unpriced: 0, estimated: 0 };

const isUsed = (usage: Usage | null | undefined): usage is Usage => usage != null && usage.input + usage.output > 0;

export function totalOf(usages: readonly (Usage | null | undefined)[]): Total {
  return usages.filter(isUsed).reduce<Total>(
    (sum, usage) => ({
      calls: sum.calls + 1,
      input: sum.input + usage.input,
      cached: sum.cached + usage.cached,
      output: sum.output + usage.output,
      reasoning: sum.reasoning + usage.reasoning,
      cost: sum.cost + (usage.cost ?? 0),
      unpriced: sum.unpriced + (usage.cost === null ? 1 : 0),
      estimated: sum.estimated + (usage.estimated ? 1 : 0),
    }),
    NOTHING,
  );
}

/** Every version of every answer was paid for, shown or not, and the title too. */
export function totalOfConversation(messages: Iterable<Message>, title: Usage | null): Total {
  return totalOf([...[...messages].map((message) => message.usage), title]);
}
