/** Naming what belongs to people. Pure. */
import type { Group } from "../api/admin-wire.ts";

/** Those of somebody's groups that were removed. */
export const goneOf = (ids: readonly string[], groups: readonly Group[]): readonly string[] =>
  ids.filter((id) => !groups.some((group) => group.id === id));

/** What groups are called, by name; those that are no more are left out. */
export const namesOf = (ids: readonly string[], groups: readonly Group[]): readonly string[] =>
  groups.filter(({ id }) => ids.includes(id)).map(({ name }) => name);

/** Whether an address is one of this machine's own, which leads nobody else anywhere. */
export function isOfThisMachine(url: string): boolean {
  const { hostname } = new URL(url);
  return hostname === "localhost" || hostname === "[::1]" || /^127\./.test(hostname);
}
