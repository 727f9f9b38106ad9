import { expect, test } from "vitest";
import type { Me } from "../src/api/wire.ts";
import { whyClosed } from "../src/closed-screens.ts";

const somebody = (role: string): Me => ({
  user: { id: "1", name: "Mina", role },
  sign_in: true,
  may_administer: role === "admin",
  admins_may_read: false,
  home: "local",
  version: "1",
  default_model: null,
  locale: "en",
  limits: { body_bytes: 1, message_characters: 1, title_characters: 1 },
  embedded: false,
});

test.each([
  ["guest", "keys", "noKeysForGuests"],
  ["guest", "import", "noImportForGuests"],
  ["member", "import", null],
  ["guest", "people", "adminsOnly"],
  ["guest", "usage", null],
  ["member", "keys", null],
  ["member", "audit", "adminsOnly"],
  ["member", "account", null],
  ["admin", "keys", null],
  ["admin", "installation", null],
] as const)("for a %s, the screen %s is closed: %s", (role, screen, why) => {
  expect(whyClosed(screen, somebody(role))).toBe(why);
});

test("nothing is closed before it is known who is here", () => {
  expect(whyClosed("people", null)).toBeNull();
});
