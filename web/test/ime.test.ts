// @vitest-environment jsdom
import { beforeEach, expect, test } from "vitest";
import { isComposing, isEnter, isEscape, watchComposition } from "../src/lib/ime.ts";

let input: HTMLInputElement;
let seen: { enter: boolean; escape: boolean; composing: boolean };

beforeEach(() => {
  input = document.createElement("input");
  document.body.replaceChildren(input);
  watchComposition(input);
  input.addEventListener("keydown", (event) => {
    seen = { enter: isEnter(event), escape: isEscape(event), composing: isComposing(event) };
  });
});

function press(key: string, more: KeyboardEventInit = {}): typeof seen {
  input.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, ...more }));
  return seen;
}

test("Enter sends, Shift+Enter and Alt+Enter do not", () => {
  expect(press("Enter").enter).toBe(true);
  expect(press("Enter", { shiftKey: true }).enter).toBe(false);
  expect(press("Enter", { altKey: true }).enter).toBe(false);
});

test("Enter during a composition belongs to the input method, however it is told", () => {
  expect(press("Enter", { isComposing: true }).enter).toBe(false);
  expect(press("Enter", { keyCode: 229 }).enter).toBe(false);
  input.dispatchEvent(new CompositionEvent("compositionstart"));
  expect(press("Enter").enter).toBe(false);
  input.dispatchEvent(new CompositionEvent("compositionend"));
  expect(press("Enter").enter).toBe(true);
});

test("Safari's Enter that comes after the composition's end still has 229", () => {
  input.dispatchEvent(new CompositionEvent("compositionstart"));
  input.dispatchEvent(new CompositionEvent("compositionend"));
  expect(press("Enter", { keyCode: 229 }).enter).toBe(false);
});

test("an input that is left in the middle of a composition does not stay in it", () => {
  input.dispatchEvent(new CompositionEvent("compositionstart"));
  input.dispatchEvent(new FocusEvent("blur"));
  expect(press("Enter").enter).toBe(true);
});

test("Escape during a composition leaves nothing", () => {
  expect(press("Escape", { isComposing: true }).escape).toBe(false);
  expect(press("Escape").escape).toBe(true);
});
