/** Rows of usage, added up for the table and the charts. Pure. */
import type { UsageRow } from "../api/accounts-wire.ts";

export const splits = ["model", "key", "user", "group", "kind"] as const;
export type Split = (typeof splits)[number];
export type Measure = "cost" | "tokens";

/** What rows of the same day, model, key… add up to. */
export interface Sum {
  readonly calls: number;
  readonly input: number;
  readonly cached: number;
  readonly output: number;
  readonly reasoning: number;
  readonly cost: number;
  readonly reserved: number;
  readonly estimated: number;
  readonly unpriced: number;
  readonly failed: number;
}

/** `id` is what the rows have in common; empty where they have no key, or no group. */
export interface Group {
  readonly id: string;
  readonly sum: Sum;
}

const FIELDS = ["calls", "input", "cached", "output", "reasoning", "cost", "reserved", "estimated", "unpriced", "failed"] as const;

export function sumOf(rows: readonly UsageRow[]): Sum {
  const total = Object.fromEntries(FIELDS.map((field) => [field, 0])) as { -readonly [Field in keyof Sum]: number };
  for (const row of rows) for (const field of FIELDS) total[field] += row[field];
  return total;
}

export const measured = (sum: Pick<Sum, "cost" | "input" | "output">, measure: Measure): number =>
  measure === "cost" ? sum.cost : sum.input + sum.output;

function grouped<T>(items: readonly T[], namesOf: (item: T) => readonly string[]): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    for (const name of namesOf(item)) {
      const group = groups.get(name);
      if (group) group.push(item);
      else groups.set(name, [item]);
    }
  }
  return groups;
}

/** A row of somebody in several groups belongs to each of them. */
function idsOf(row: UsageRow, split: Split): readonly string[] {
  if (split === "group") return row.groups.length > 0 ? row.groups : [""];
  return [row[split] ?? ""];
}

/** The dearest first; where nothing has a price, the largest. */
export function groupsOf(rows: readonly UsageRow[], split: Split): Group[] {
  const groups = [...grouped(rows, (row) => idsOf(row, split))].map(([id, own]) => ({ id, sum: sumOf(own) }));
  return groups.sort((a, b) => b.sum.cost - a.sum.cost || measured(b.sum, "tokens") - measured(a.sum, "tokens"));
}

/** Each day's groups, newest day first: the charts in numbers. */
export function dayGroupsOf(rows: readonly UsageRow[], split: Split): { readonly day: string; readonly groups: Group[] }[] {
  return [...grouped(rows, (row) => [row.day])]
    .sort(([a], [b]) => (a < b ? 1 : -1))
    .map(([day, own]) => ({ day, groups: groupsOf(own, split) }));
}

/** How many series have a colour of their own; what is more than that is one series, the last. */
export const MOST_SERIES = 6;

export interface Series {
  /** null: all the others. */
  readonly id: string | null;
  /** One value a day. */
  readonly values: readonly number[];
}

/** The same groups, in the same order, whatever is measured: a colour means one thing. */
export function seriesOf(rows: readonly UsageRow[], days: readonly string[], split: Split, measure: Measure): Series[] {
  const ids = groupsOf(rows, split).map((group) => group.id);
  const own = ids.length > MOST_SERIES ? ids.slice(0, MOST_SERIES - 1) : ids;
  const line = (id: string | null): Series => {
    const mine = rows.filter((row) => idsOf(row, split).some((one) => (id === null ? !own.includes(one) : one === id)));
    const byDay = grouped(mine, (row) => [row.day]);
    return { id, values: days.map((day) => (byDay.get(day) ?? []).reduce((sum, row) => sum + measured(row, measure), 0)) };
  };
  return [...own.map(line), ...(own.length < ids.length ? [line(null)] : [])];
}
