import { describe, expect, test } from "vitest";
import * as fc from "fast-check";
import type { UsageRow } from "../src/api/accounts-wire.ts";
import { daysOf, faultOf, periodOf } from "../src/usage/period.ts";
import { dayGroupsOf, groupsOf, measured, MOST_SERIES, seriesOf, sumOf, splits } from "../src/usage/sums.ts";

const row = (more: Partial<UsageRow> = {}): UsageRow => ({
  day: "2026-11-02",
  user: "ann",
  key: null,
  model: "m",
  kind: "turn",
  calls: 1,
  input: 10,
  cached: 0,
  output: 5,
  reasoning: 0,
  cost: 100,
  reserved: 0,
  estimated: 0,
  unpriced: 0,
  failed: 0,
  groups: [],
  ...more,
});

describe("periods", () => {
  const now = Date.UTC(2026, 10, 28, 23, 59);
  const own = { since: "2026-01-01", until: "2026-01-02" };

  test.each([
    ["week", "2026-11-22", "2026-11-28"],
    ["month", "2026-10-30", "2026-11-28"],
    ["quarter", "2026-08-31", "2026-11-28"],
    ["thisMonth", "2026-11-01", "2026-11-28"],
    ["custom", own.since, own.until],
  ] as const)("%s", (choice, since, until) => expect(periodOf(choice, own, now)).toEqual({ since, until }));

  test("have as many days as they say", () => {
    expect(daysOf({ since: "2026-02-27", until: "2026-03-01" })).toEqual(["2026-02-27", "2026-02-28", "2026-03-01"]);
    expect(daysOf(periodOf("quarter", own, now))).toHaveLength(90);
  });

  test.each([
    ["", "2026-11-01", "missing"],
    ["2026-11-02", "2026-11-01", "reversed"],
    ["2025-11-01", "2026-11-02", "tooLong"],
    ["2025-11-02", "2026-11-02", null],
    ["2026-11-01", "2026-11-01", null],
  ])("from %s to %s", (since, until, fault) => expect(faultOf({ since, until })).toBe(fault));
});

describe("sums", () => {
  test("groups come dearest first, by tokens where nothing has a price", () => {
    const rows = [row({ model: "a" }), row({ model: "b", cost: 300 }), row({ model: "a", cost: 150 })];
    expect(groupsOf(rows, "model").map(({ id, sum }) => [id, sum.cost, sum.calls])).toEqual([
      ["b", 300, 1],
      ["a", 250, 2],
    ]);
    const free = [row({ model: "a", cost: 0 }), row({ model: "b", cost: 0, input: 99 })];
    expect(groupsOf(free, "model").map(({ id }) => id)).toEqual(["b", "a"]);
  });

  test("calls without a key are a group of their own", () => {
    expect(groupsOf([row(), row({ key: "k" })], "key").map(({ id }) => id).sort()).toEqual(["", "k"]);
  });

  test("days come newest first", () => {
    expect(dayGroupsOf([row(), row({ day: "2026-11-03" })], "model").map(({ day }) => day)).toEqual(["2026-11-03", "2026-11-02"]);
  });

  test("what has no colour of its own is one series, the last", () => {
    const rows = Array.from({ length: 9 }, (_, index) => row({ model: `m${String(index)}`, cost: 900 - index }));
    const series = seriesOf(rows, ["2026-11-01", "2026-11-02"], "model", "cost");
    expect(series).toHaveLength(MOST_SERIES);
    expect(series.at(-1)?.id).toBeNull();
    expect(series[0]).toEqual({ id: "m0", values: [0, 900] });
  });

  test("whatever is divided by whatever, nothing is lost", () => {
    const any = fc.record({
      day: fc.constantFrom("2026-11-01", "2026-11-02"),
      key: fc.constantFrom(null, "k1", "k2"),
      model: fc.constantFrom(..."abcdefghij"),
      cost: fc.nat(1000),
      input: fc.nat(1000),
    });
    fc.assert(
      fc.property(fc.array(any), fc.constantFrom(...splits), fc.constantFrom("cost", "tokens"), (some, split, measure) => {
        const rows = some.map(row);
        const values = seriesOf(rows, ["2026-11-01", "2026-11-02"], split, measure).flatMap((series) => series.values);
        expect(values.reduce((sum, value) => sum + value, 0)).toBe(measured(sumOf(rows), measure));
        const groups = groupsOf(rows, split).reduce((sum, group) => sum + group.sum.cost, 0);
        expect(groups).toBe(sumOf(rows).cost);
      }),
    );
  });
});

test("a call of somebody in several groups counts in each of them", () => {
  const rows = [row({ groups: ["a", "b"], cost: 7 }), row({ groups: ["a"], cost: 2 }), row({ cost: 1 })];
  expect(groupsOf(rows, "group").map(({ id, sum }) => [id, sum.cost])).toEqual([["a", 9], ["b", 7], ["", 1]]);
  expect(seriesOf(rows, ["2026-11-02"], "group", "cost")).toEqual([
    { id: "a", values: [9] },
    { id: "b", values: [7] },
    { id: "", values: [1] },
  ]);
  expect(sumOf(rows).cost).toBe(10);
});
