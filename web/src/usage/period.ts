/** Periods of whole days, in UTC as the server counts them. Pure. */

export const choices = ["week", "month", "quarter", "thisMonth", "custom"] as const;
export type Choice = (typeof choices)[number];

export interface Period {
  readonly since: string;
  readonly until: string;
}

const DAY = 86_400_000;
const DAYS: Readonly<Partial<Record<Choice, number>>> = { week: 7, month: 30, quarter: 90 };
/** A chart of more days than these cannot be read, and the server need not add them up. */
export const MOST_DAYS = 366;

export const dayOf = (moment: Date | number): string => new Date(moment).toISOString().slice(0, 10);

/** The period of a choice; a custom one is `own`. */
export function periodOf(choice: Choice, own: Period, now: number): Period {
  const until = dayOf(now);
  if (choice === "custom") return own;
  if (choice === "thisMonth") return { since: `${until.slice(0, 8)}01`, until };
  return { since: dayOf(now - ((DAYS[choice] ?? 30) - 1) * DAY), until };
}

/** What is wrong with a period that somebody wrote; null where nothing is. */
export function faultOf({ since, until }: Period): "missing" | "reversed" | "tooLong" | null {
  const [from, to] = [Date.parse(since), Date.parse(until)];
  if (Number.isNaN(from) || Number.isNaN(to)) return "missing";
  if (from > to) return "reversed";
  return (to - from) / DAY >= MOST_DAYS ? "tooLong" : null;
}

export function daysOf({ since, until }: Period): string[] {
  const days: string[] = [];
  for (let day = Date.parse(since); day <= Date.parse(until); day += DAY) days.push(dayOf(day));
  return days;
}
