// @vitest-environment jsdom
import { expect, test } from "vitest";
import { addressOf, placeOf } from "../src/lib/route.svelte.ts";

const one = "01997f3e-1c2d-7abc-8def-0123456789ab";
const other = "01997f3e-1c2d-7abc-8def-0123456789ac";

test("an address names a conversation, and a message of it", () => {
  expect(placeOf(addressOf(one))).toEqual({ conversation: one, message: null });
  expect(placeOf(addressOf(one, other))).toEqual({ conversation: one, message: other });
});

test.each(["", "#", "#/", "#/c/", "#/c/../../x", `#/c/${one}/more`])("%s names none", (hash) => {
  expect(placeOf(hash)).toEqual({ conversation: null, message: null });
});
