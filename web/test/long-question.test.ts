import { expect, test } from "vitest";
import { isLong } from "../src/conversation/long-question.ts";

test("a question is long by its lines or by its characters", () => {
  expect(isLong("")).toBe(false);
  expect(isLong("a\n".repeat(23))).toBe(false);
  expect(isLong("a\n".repeat(24))).toBe(true);
  expect(isLong("가".repeat(2_400))).toBe(false);
  expect(isLong("가".repeat(2_401))).toBe(true);
});
