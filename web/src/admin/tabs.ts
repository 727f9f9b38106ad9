/** The screens of admins, in the order in which they are offered. */
import type { Screen } from "../lib/route.svelte.ts";

export const tabs = ["people", "groups", "providers", "installation", "audit"] as const satisfies readonly Screen[];
export type Tab = (typeof tabs)[number];
