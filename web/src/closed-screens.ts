/** Which screens are not for whom. Pure; the server has the last word. */
import { tabs } from "./admin/tabs.ts";
import type { Me } from "./api/wire.ts";
import type { Screen } from "./lib/route.svelte.ts";
import { mayBring, mayHaveKeys } from "./sign-in/rights.ts";

const ofAdmins: ReadonlySet<Screen> = new Set(tabs);

/** The message that says why a screen is not for this person; null where it is, and while it is not known who is here. */
export function whyClosed(screen: Screen, me: Me | null): "adminsOnly" | "noKeysForGuests" | "noImportForGuests" | null {
  if (me === null) return null;
  if (ofAdmins.has(screen) && !me.may_administer) return "adminsOnly";
  if (screen === "import" && !mayBring(me)) return "noImportForGuests";
  return screen === "keys" && !mayHaveKeys(me) ? "noKeysForGuests" : null;
}
