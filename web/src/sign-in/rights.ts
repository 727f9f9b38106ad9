/** What of the page is not for everybody. Pure; the server has the last word. */
import type { Me } from "../api/wire.ts";

export const mayHaveKeys = (me: Me): boolean => me.user.role !== "guest";
export const mayBring = mayHaveKeys;
