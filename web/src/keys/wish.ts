/** What somebody writes into the form for a new key, read. Pure. */
import type { KeyWish } from "../api/accounts.ts";
import { readMoney } from "../lib/money.ts";

export const lifetimes = ["never", "month", "quarter", "year", "day"] as const;
export type Lifetime = (typeof lifetimes)[number];

export interface Form {
  name: string;
  models: string;
  day: string;
  month: string;
  total: string;
  requests: string;
  tokens: string;
  lifetime: Lifetime;
  /** The last day that it opens anything, where that is chosen by day. */
  lastDay: string;
}

export type Field = keyof Form;

export const blank = (): Form => ({
  name: "",
  models: "",
  day: "",
  month: "",
  total: "",
  requests: "",
  tokens: "",
  lifetime: "never",
  lastDay: "",
});

const DAY = 86_400_000;
const DAYS: Readonly<Partial<Record<Lifetime, number>>> = { month: 30, quarter: 90, year: 365 };

/** The wish, and the fields that cannot be read. */
export function read(form: Form, now: number): { readonly wish: KeyWish; readonly faults: readonly Field[] } {
  const faults: Field[] = form.name.trim() === "" ? ["name"] : [];
  const number = (field: "day" | "month" | "total" | "requests" | "tokens", value: number | null): number | null => {
    if (value === null || value > 0) return value;
    faults.push(field);
    return null;
  };
  const models = form.models.split(/[\s,]+/).filter(Boolean);
  const limits = {
    day: number("day", readMoney(form.day)),
    month: number("month", readMoney(form.month)),
    total: number("total", readMoney(form.total)),
    requests_per_minute: number("requests", readCount(form.requests)),
    tokens_per_minute: number("tokens", readCount(form.tokens)),
    expires: expiryOf(form, now),
  };
  if (form.lifetime === "day" && !(limits.expires !== null && limits.expires > now)) faults.push("lastDay");
  const set = Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== null));
  return { wish: { name: form.name.trim(), ...(models.length > 0 && { models }), ...set }, faults };
}

function readCount(text: string): number | null {
  const written = text.trim();
  if (written === "") return null;
  return /^\d{1,9}$/.test(written) ? Number(written) : NaN;
}

/** It opens things until the end of its last day, where the reader is. */
function expiryOf({ lifetime, lastDay }: Form, now: number): number | null {
  if (lifetime === "never") return null;
  const days = DAYS[lifetime];
  if (days !== undefined) return now + days * DAY;
  const end = new Date(`${lastDay}T23:59:59.999`).getTime();
  return Number.isNaN(end) ? null : end;
}
