import { expect, test } from "vitest";
import type { Message } from "../src/api/wire.ts";
import { entriesOf, MessageTree } from "../src/conversation/tree.ts";
import { byId, message } from "./messages.ts";

// q1 ─ a2 ─ q3 ─ a4 · a5        q1 was edited into q6 ─ a7
const messages = [
  message("q1", null),
  message("a2", "q1"),
  message("q3", "a2"),
  message("a5", "q3"),
  message("a4", "q3"),
  message("q6", null),
  message("a7", "q6"),
];
const tree = new MessageTree(byId(messages));
const ids = (found: readonly Message[]): string[] => found.map((each) => each.id);

test("a path goes from the root through the leaf to the newest end below it", () => {
  expect(ids(tree.path("a4"))).toEqual(["q1", "a2", "q3", "a4"]);
  expect(ids(tree.path("a2"))).toEqual(["q1", "a2", "q3", "a5"]);
});

test("without a leaf, or with an unknown one, the newest branch is shown", () => {
  expect(ids(tree.path(null))).toEqual(["q6", "a7"]);
  expect(ids(tree.path("gone"))).toEqual(["q6", "a7"]);
});

test("a path whose beginning is not loaded begins where it is, with its siblings", () => {
  const end = new MessageTree(byId([message("q3", "a2"), message("q8", "a2"), message("a4", "q3")]));
  expect(ids(end.path("a4"))).toEqual(["q3", "a4"]);
  expect(ids(end.siblings(message("q3", "a2")))).toEqual(["q3", "q8"]);
  expect(ids(end.path("gone"))).toEqual(["q8"]);
});

test("siblings are ordered by age", () => {
  expect(ids(tree.siblings(message("a5", "q3")))).toEqual(["a4", "a5"]);
  expect(ids(tree.siblings(message("q1", null)))).toEqual(["q1", "q6"]);
});

test("attempts that came to nothing are passed over, except the one that is shown", () => {
  const failed = message("a8", "q3", { status: "failed", parts: [] });
  const more = new MessageTree(byId([...messages, failed]));
  expect(ids(more.siblings(message("a4", "q3")))).toEqual(["a4", "a5"]);
  expect(ids(more.siblings(failed))).toEqual(["a4", "a5", "a8"]);
});

test("an empty tree has an empty path", () => {
  expect(new MessageTree(new Map()).path(null)).toEqual([]);
});

test("continuations are one answer with what they continue", () => {
  const chain = [message("q1", null), message("a2", "q1"), message("a3", "a2"), message("q4", "a3"), message("a5", "q4")];
  const joined = new MessageTree(byId(chain));
  const entries = entriesOf(joined, joined.path(null));
  expect(entries.map((entry) => ids(entry.chain))).toEqual([["q1"], ["a2", "a3"], ["q4"], ["a5"]]);
});

test("system messages are not shown", () => {
  const chain = [message("s1", null, { role: "system" }), message("q2", "s1")];
  const all = new MessageTree(byId(chain));
  expect(entriesOf(all, all.path(null)).map((entry) => entry.head.id)).toEqual(["q2"]);
});
