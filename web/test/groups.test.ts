import { expect, test } from "vitest";
import type { Conversation } from "../src/api/wire.ts";
import { groupsOf } from "../src/sidebar/groups.ts";

const now = new Date(2026, 10, 22, 1, 30);
const at = (id: string, time: Date, pinned = false): Conversation => ({
  id,
  title: id,
  title_source: "question",
  model: null,
  leaf: null,
  pinned,
  archived: false,
  created: 0,
  updated: time.getTime(),
});

test("conversations stand under days as people count them, pinned ones first", () => {
  const groups = groupsOf(
    [
      at("pinned", new Date(2020, 0, 1), true),
      at("just now", new Date(2026, 10, 22, 1, 29)),
      at("two hours ago", new Date(2026, 10, 21, 23, 30)),
      at("this week", new Date(2026, 10, 15, 12)),
      at("this month", new Date(2026, 9, 30)),
      at("old", new Date(2026, 5, 1)),
    ],
    now,
  );
  expect(groups.map((group) => [group.name, group.conversations.length])).toEqual([
    ["pinned", 1],
    ["today", 1],
    ["yesterday", 1],
    ["week", 1],
    ["month", 1],
    ["older", 1],
  ]);
});
