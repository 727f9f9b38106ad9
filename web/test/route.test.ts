// @vitest-environment jsdom
import { expect, test } from "vitest";
import { addressOf, placeOf, screenAddress, screens } from "../src/lib/route.svelte.ts";

const one = "01997f3e-1c2d-7abc-8def-0123456789ab";
const other = "01997f3e-1c2d-7abc-8def-0123456789ac";

test("an address names a conversation, and a message of it", () => {
  expect(placeOf(addressOf(one))).toEqual({ conversation: one, message: null, screen: null });
  expect(placeOf(addressOf(one, other))).toEqual({ conversation: one, message: other, screen: null });
});

test.each(["", "#", "#/", "#/c/", "#/c/../../x", `#/c/${one}/more`, "#/usage/x", "#/toString"])("%s names none", (hash) => {
  expect(placeOf(hash)).toEqual({ conversation: null, message: null, screen: null });
});

test.each(screens)("an address names the screen %s", (screen) => {
  expect(placeOf(screenAddress(screen))).toEqual({ conversation: null, message: null, screen });
});
