/** The dialog that asks to sign in again, which few ever see: fetched when it is to be shown. */
import { sidebarMessages } from "../i18n/catalogue.ts";
import { part } from "../lib/part.ts";
import { toasts } from "../lib/toasts.svelte.ts";
import { identity } from "./identity.svelte.ts";
import type SignedOut from "./SignedOut.svelte";

const fetched = part(() => import("./SignedOut.svelte"));

/** Null where it does not come: the reader is told so, and what they do next asks once more. */
export async function signedOut(): Promise<typeof SignedOut | null> {
  try {
    return (await fetched()).default;
  } catch {
    identity.asks = false;
    toasts.show(sidebarMessages.get().screenFailed);
    return null;
  }
}
