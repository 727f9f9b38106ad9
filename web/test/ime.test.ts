// @vitest-environment jsdom
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { enterSends, isComposing, isEnter, isEscape, isSend, watchComposition } from "../src/lib/ime.ts";

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

afterEach(() => vi.unstubAllGlobals());

function press(key: string, more: KeyboardEventInit = {}): typeof seen {
  input.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, ...more }));
  return seen;
}

test("Enter sends, Shift+Enter and Alt+Enter do not", () => {
  expect(press("Enter").enter).toBe(true);
  expect(press("Enter", { shiftKey: true }).enter).toBe(false);
  expect(press("Enter", { altKey: true }).enter).toBe(false);
});

/** A device with these pointers; `fine` and `hover` may be those of a second one. */
function device({ coarse = false, fine = false, hover = false }): void {
  const holds = (query: string): boolean =>
    query.split(", ").some((each) => ({ "(pointer: coarse)": coarse, "(any-pointer: fine)": fine, "(any-hover: hover)": hover })[each]);
  vi.stubGlobal("matchMedia", (query: string) => ({ matches: holds(query) }));
}

function sends(more: KeyboardEventInit = {}): boolean {
  return isSend(new KeyboardEvent("keydown", { key: "Enter", ...more }));
}

test("Enter breaks the line where there are fingers alone, and sends where there is more", () => {
  device({ fine: true, hover: true });
  expect([enterSends(), sends(), sends({ shiftKey: true })]).toEqual([true, true, false]);
  device({ coarse: true });
  expect([enterSends(), sends(), sends({ ctrlKey: true }), sends({ metaKey: true })]).toEqual([false, false, true, true]);
  expect(sends({ ctrlKey: true, isComposing: true })).toBe(false);
  device({ coarse: true, fine: true });
  expect(sends()).toBe(true);
  device({ coarse: true, hover: true });
  expect(sends()).toBe(true);
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
