import { describe, expect, test } from "vitest";
import * as fc from "fast-check";
import { readMoney, writeMoney } from "../src/lib/money.ts";

const written = (micro: number, locale = "en"): string => writeMoney(micro, locale, (amount) => `<${amount}`);

describe("money is written so that little is not nothing", () => {
  test.each([
    [0, "$0.00"],
    [1, "<$0.0001"],
    [99, "<$0.0001"],
    [100, "$0.0001"],
    [400, "$0.0004"],
    [12_345, "$0.0123"],
    [250_000, "$0.25"],
    [444_000, "$0.4440"],
    [999_900, "$0.9999"],
    [1_000_000, "$1.00"],
    [1_234_567_890, "$1,234.57"],
  ])("%d micro-dollars", (micro, text) => {
    expect(written(micro)).toBe(text);
    expect(written(micro, "ko")).toBe(text);
  });
});

describe("money is read as it is written", () => {
  test.each([
    ["", null],
    ["  ", null],
    ["2.50", 2_500_000],
    ["2,5", 2_500_000],
    ["$ 10", 10_000_000],
    ["0.000001", 1],
    ["0", 0],
  ])("%s", (text, micro) => expect(readMoney(text)).toBe(micro));

  test.each(["ten", "-1", "1.2.3", "1,000", "1e3", ".5", "0.0000001", "12345678"])("%s is none", (text) =>
    expect(readMoney(text)).toBeNaN(),
  );

  test("every whole number of micro-dollars comes back", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 9_999_999_999_999 }), (micro) => {
        expect(readMoney(`${String(Math.floor(micro / 1e6))}.${String(micro % 1e6).padStart(6, "0")}`)).toBe(micro);
      }),
    );
  });
});
