/** Of a budget: whose it is, how much of it is used, and when it renews. */
import type { Budget, NamedBudget } from "../api/wire.ts";
import type { budgetMessages, format } from "../i18n/catalogue.ts";
import { isUsedUp } from "./budgets.svelte.ts";

type Words = ReturnType<typeof budgetMessages.get>;
type Format = ReturnType<typeof format.get>;

function whose({ scope, name }: NamedBudget, words: Words): string {
  const [kind, ...rest] = scope.split(":");
  if (kind === "group") return words.group({ name: name ?? rest.join(":") });
  return kind === "user" ? words.user : kind === "key" ? words.key : words.all;
}

export function sentenceForBudget(budget: Budget, words: Words, money: (micro: number) => string, format: Format): string {
  const named = { whose: whose(budget, words), period: words[budget.kind], limit: money(budget.limit) };
  const share = Math.floor((100 * budget.spent) / budget.limit) / 100;
  const percent = format.number(share, { style: "percent" });
  const said = isUsedUp(budget) ? words.usedUp(named) : words.near({ ...named, percent, spent: money(budget.spent) });
  return said + renewalOf(budget, words, format);
}

/** Of a budget that had no room for a question, where the reader is not told how much of it is used. */
export function sentenceForRefusal(budget: NamedBudget, words: Words, money: (micro: number) => string, format: Format): string {
  const said = words.tooLittle({ whose: whose(budget, words), period: words[budget.kind], limit: money(budget.limit) });
  return said + renewalOf(budget, words, format);
}

function renewalOf({ renews }: NamedBudget, words: Words, format: Format): string {
  if (renews === null) return "";
  const moment = format.time(new Date(renews), { month: "long", day: "numeric", hour: "numeric", minute: "2-digit" });
  return ` ${words.renews({ moment })}`;
}
