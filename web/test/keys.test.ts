import { describe, expect, test } from "vitest";
import type { Key } from "../src/api/accounts-wire.ts";
import { commandOf, isPast, spentOf } from "../src/keys/past.ts";
import { blank, read } from "../src/keys/wish.ts";

const NOW = new Date(2026, 10, 28, 12).getTime();
const DAY = 86_400_000;

describe("the form for a new key", () => {
  test("a name is enough", () => {
    expect(read({ ...blank(), name: " Editor " }, NOW)).toEqual({ wish: { name: "Editor" }, faults: [] });
  });

  test("what is written is read: dollars, numbers, models, days", () => {
    const form = { ...blank(), name: "x", day: "2.50", total: "$10", requests: "60", tokens: "9000", models: "a/b, gpt-*\n c" };
    expect(read({ ...form, lifetime: "month" }, NOW).wish).toEqual({
      name: "x",
      models: ["a/b", "gpt-*", "c"],
      day: 2_500_000,
      total: 10_000_000,
      requests_per_minute: 60,
      tokens_per_minute: 9000,
      expires: NOW + 30 * DAY,
    });
  });

  test("what cannot be read is named, the first field first", () => {
    const form = { ...blank(), day: "ten", month: "0", tokens: "1.5", lifetime: "day" as const, lastDay: "2026-11-27" };
    expect(read(form, NOW).faults).toEqual(["name", "day", "month", "tokens", "lastDay"]);
    expect(read({ ...form, lastDay: "" }, NOW).faults).toContain("lastDay");
  });

  test("the last day is open to its end, where the reader is", () => {
    const { wish, faults } = read({ ...blank(), name: "x", lifetime: "day", lastDay: "2026-11-28" }, NOW);
    expect(faults).toEqual([]);
    expect(wish.expires).toBe(new Date(2026, 10, 29).getTime() - 1);
  });
});

test("a key is over once it is revoked or its time is", () => {
  const key = { revoked: null, expires: null } as Key;
  expect(isPast(key, NOW)).toBe(false);
  expect(isPast({ ...key, expires: NOW + 1 }, NOW)).toBe(false);
  expect(isPast({ ...key, expires: NOW }, NOW)).toBe(true);
  expect(isPast({ ...key, revoked: NOW - 1 }, NOW)).toBe(true);
});

test("what is left of a key is what its own limits and the settings leave", () => {
  const key = { day: 10, month: null, total: null, spent: { day: 8, month: 8, total: null } } as Key;
  expect(spentOf(key, {}).map(({ kind, limit, near }) => [kind, limit, near])).toEqual([
    ["day", 10, 0.8],
    ["month", null, null],
  ]);
  expect(spentOf(key, { day: 8, month: 11, total: 9 }).map(({ limit, near }) => [limit, near])).toEqual([
    [8, 1],
    [11, null],
  ]);
  expect(spentOf({ ...key, day: 0 }, {})[0]?.near).toBe(1);
});

test("the command can be pasted into a shell, whatever the model is called", () => {
  const command = commandOf("http://127.0.0.1:8000/v1", "dh_x", "it's/one");
  expect(command).toContain("curl http://127.0.0.1:8000/v1/chat/completions");
  expect(command).toContain('"Authorization: Bearer dh_x"');
  expect(command).toContain("it'\\''s/one");
});
