/** What calls used and cost, summed up. Pure. */
import type { Message, Usage, UsageTotal } from "../api/wire.ts";

export type Total = Readonly<UsageTotal>;

export const NOTHING: Total = { calls: 0, input: 0, cached: 0, output: 0, reasoning: 0, cost: 0, unpriced: 0, estimated: 0 };

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

/** Every version of every answer was paid for, shown or not, loaded or not (`rest`), and the title too. */
export function totalOfConversation(messages: Iterable<Message>, title: Usage | null, rest: Total = NOTHING): Total {
  return combined(totalOf([...[...messages].map((message) => message.usage), title]), rest, 1);
}

/**
 * What the replies took that are not loaded, once more are: the new total says it, or else the rest from before without
 * what came. Null while it is not known.
 */
export function restWith(
  rest: Total | null,
  total: Total | null | undefined,
  before: ReadonlyMap<string, Message>,
  after: ReadonlyMap<string, Message>,
): Total | null {
  if (total) return restOf(total, after.values());
  if (rest === null || rest === NOTHING) return null;
  return restOf(rest, [...after.values()].filter((message) => !before.has(message.id)));
}

/** What is left of a total without these messages. */
export function restOf(total: Total, messages: Iterable<Message>): Total {
  return combined(total, totalOf([...messages].map((message) => message.usage)), -1);
}

function combined(first: Total, second: Total, sign: 1 | -1): Total {
  return {
    calls: first.calls + sign * second.calls,
    input: first.input + sign * second.input,
    cached: first.cached + sign * second.cached,
    output: first.output + sign * second.output,
    reasoning: first.reasoning + sign * second.reasoning,
    cost: first.cost + sign * second.cost,
    unpriced: first.unpriced + sign * second.unpriced,
    estimated: first.estimated + sign * second.estimated,
  };
}
