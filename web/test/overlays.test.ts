// @vitest-environment jsdom
import { tick } from "svelte";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { overlays } from "../src/lib/overlays.ts";

/** Let the page settle, and the browser go where it was sent: in turns of the loop, which a busy machine does not skip. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setTimeout(resolve, 5));
}
const there = (): [string, unknown] => [location.hash, history.state];
const closed: string[] = [];
const opened: (() => void)[] = [];

function open(name: string): () => void {
  const gone = overlays.add(() => closed.push(name));
  opened.push(gone);
  return gone;
}

async function back(): Promise<void> {
  history.back();
  await settled();
}

beforeEach(() => {
  history.pushState(null, "", "#/before");
  history.pushState(null, "", "#/page");
  closed.length = 0;
});

afterEach(async () => {
  for (const gone of opened.splice(0)) gone();
  await settled();
});

test("each has an entry for the address of the page, and Back closes the innermost", async () => {
  open("list");
  open("dialog");
  await settled();
  expect(there()).toEqual(["#/page", { overlays: 2 }]);
  await back();
  expect([closed, there()]).toEqual([["dialog"], ["#/page", { overlays: 1 }]]);
  await back();
  expect([closed, there()]).toEqual([["dialog", "list"], ["#/page", null]]);
  await back();
  expect(there()).toEqual(["#/before", null]);
});

test("what was closed gives its entry back, and what takes its place has it", async () => {
  const gone = open("menu");
  await settled();
  const before = history.length;
  gone();
  const dialogGone = open("dialog");
  await settled();
  expect([there(), history.length]).toEqual([["#/page", { overlays: 1 }], before]);
  dialogGone();
  await settled();
  expect([closed, there()]).toEqual([[], ["#/page", null]]);
});

test("what opens while the browser goes back has an entry of its own, and stays open", async () => {
  const gone = open("menu");
  await settled();
  gone();
  await tick();
  open("dialog");
  await settled();
  expect([closed, there()]).toEqual([[], ["#/page", { overlays: 1 }]]);
});

async function leaveWhatIsOpenForNext(): Promise<void> {
  const gone = [open("list"), open("menu")];
  await settled();
  overlays.leaveFor("#/next");
  for (const each of gone) each();
  await settled();
}

test("an address that is gone to takes the entries of all that is open", async () => {
  await leaveWhatIsOpenForNext();
  expect(there()).toEqual(["#/next", null]);
  await back();
  expect(there()).toEqual(["#/page", null]);
});

test("Forward leads to nothing that was open below an address that was gone to", async () => {
  await leaveWhatIsOpenForNext();
  history.forward();
  await settled();
  expect(there()).toEqual(["#/next", null]);
});

test("what stays open lies over the page that was gone to", async () => {
  open("list");
  await settled();
  overlays.leaveFor("#/next");
  await settled();
  expect(there()).toEqual(["#/next", { overlays: 1 }]);
  await back();
  expect([closed, there()]).toEqual([["list"], ["#/next", null]]);
});

test("the entry of the page is changed below what is open", async () => {
  open("dialog");
  await settled();
  overlays.below(() => history.replaceState(null, "", "#/renamed"));
  await settled();
  expect([closed, there()]).toEqual([[], ["#/renamed", { overlays: 1 }]]);
  await back();
  expect([closed, there()]).toEqual([["dialog"], ["#/renamed", null]]);
});

test("what waits is done in its order", async () => {
  const gone = open("dialog");
  await settled();
  overlays.below(() => history.replaceState(null, "", "#/renamed"));
  overlays.leaveFor("#/next");
  gone();
  await settled();
  expect(there()).toEqual(["#/next", null]);
  await back();
  expect(there()).toEqual(["#/renamed", null]);
});

test("without anything open an address is gone to at once", () => {
  overlays.leaveFor("#/next");
  expect(there()).toEqual(["#/next", null]);
});

test("after a reload the entry of what was open is left", async () => {
  history.pushState({ overlays: 1 }, "");
  vi.resetModules();
  await import("../src/lib/overlays.ts");
  await settled();
  expect(there()).toEqual(["#/page", null]);
});

test("where the entries below are gone, nothing waits for them for ever", async () => {
  history.replaceState({ overlays: 99 }, "");
  vi.resetModules();
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const { overlays: alone } = await import("../src/lib/overlays.ts");
  alone.below(() => history.replaceState(null, "", "#/signed-out"));
  await vi.advanceTimersByTimeAsync(5_000);
  vi.useRealTimers();
  expect(there()).toEqual(["#/signed-out", null]);
});
