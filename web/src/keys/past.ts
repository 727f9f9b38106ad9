/** Whether a key opens nothing any more, or soon, and how it is tried. Pure. */
import type { EachKey, Key } from "../api/accounts-wire.ts";
import { shareOf, WARN_FROM } from "../spending/share.ts";

export function isPast(key: Key, now: number): boolean {
  return key.revoked != null || (key.expires != null && key.expires <= now);
}

interface Spent {
  readonly kind: "day" | "month" | "total";
  readonly amount: number;
  /** The lower one of the key’s own and the settings’. */
  readonly limit: number | null;
  /** How much of it is used, where that is so much that one speaks of it; 1 where nothing is left. */
  readonly near: number | null;
}

/** What a key has cost, and may cost; of all time only where that is told. */
export function spentOf(key: Key, each: EachKey): Spent[] {
  const kinds = (["day", "month", "total"] as const).filter((kind) => key.spent[kind] != null);
  return kinds.map((kind) => {
    const amount = key.spent[kind] ?? 0;
    const limits = [key[kind], each[kind]].filter((limit) => limit != null);
    const limit = limits.length > 0 ? Math.min(...limits) : null;
    const share = limit === null ? 0 : Math.min(1, shareOf(amount, limit));
    return { kind, amount, limit, near: share >= WARN_FROM ? share : null };
  });
}

/** A command to try a key with, as it is typed in a terminal. */
export function commandOf(baseUrl: string, secret: string, model: string): string {
  const body = JSON.stringify({ model, messages: [{ role: "user", content: "Hello" }] });
  return [
    `curl ${baseUrl}/chat/completions`,
    `-H "Authorization: Bearer ${secret}"`,
    `-H "Content-Type: application/json"`,
    `-d '${body.replaceAll("'", "'\\''")}'`,
  ].join(" \\\n  ");
}
