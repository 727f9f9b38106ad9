/** The routes of keys and usage, one function each; only the screens that show them load this. */
import * as wire from "./accounts-wire.ts";
import { decoded, send, withBody } from "./client.ts";

/** Money in micro-dollars, `expires` in ms since 1970; what is left out has no limit. */
export interface KeyWish {
  readonly name: string;
  readonly models?: readonly string[];
  readonly day?: number;
  readonly month?: number;
  readonly total?: number;
  readonly requests_per_minute?: number;
  readonly tokens_per_minute?: number;
  readonly expires?: number;
}

/** Days, inclusive, in UTC. */
export interface UsageQuery {
  readonly since: string;
  readonly until: string;
  readonly everybody: boolean;
}

export const listKeys = async (everybody: boolean): Promise<wire.Keys> =>
  decoded(wire.Keys, await send(everybody ? "/api/keys?everybody=true" : "/api/keys"));

export const createKey = async (wish: KeyWish): Promise<wire.KeyMade> =>
  decoded(wire.KeyMade, await send("/api/keys", withBody("POST", wish)));

export const revokeKey = async (id: string): Promise<wire.Key> =>
  decoded(wire.Key, await send(`/api/keys/${encodeURIComponent(id)}`, { method: "DELETE" }));

/** Where a period's usage is found, to be asked or to be downloaded. */
export function usageAddress(query: UsageQuery, ending = ""): string {
  const { since, until, everybody } = query;
  return `/api/usage${ending}?${new URLSearchParams({ since, until, everybody: String(everybody) }).toString()}`;
}

export const getUsage = async (query: UsageQuery, signal: AbortSignal): Promise<wire.UsageReport> =>
  decoded(wire.UsageReport, await send(usageAddress(query), { signal }));
