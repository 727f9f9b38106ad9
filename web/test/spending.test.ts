// @vitest-environment jsdom
import { afterEach, describe, expect, test } from "vitest";
import type { Budget, Usage } from "../src/api/wire.ts";
import { budgetMessages, format } from "../src/i18n/catalogue.ts";
import { chooseLocale } from "../src/i18n/locale.ts";
import { money } from "../src/i18n/money.ts";
import { hasRenewed, isNearlyUsed, spokenOf, warningOf } from "../src/spending/budgets.svelte.ts";
import { estimateOf, LONG, tokensBefore, tokensOf } from "../src/spending/estimate.ts";
import { sentenceForBudget, sentenceForRefusal } from "../src/spending/sentence.ts";
import { NOTHING, restOf, restWith, totalOf, totalOfConversation } from "../src/spending/total.ts";
import { byId, message } from "./messages.ts";

const usage = (more: Partial<Usage> = {}): Usage => ({
  input: 100,
  output: 20,
  cached: 0,
  reasoning: 0,
  cost: 500,
  estimated: false,
  ...more,
});
const budget = (more: Partial<Budget> = {}): Budget => ({
  scope: "user:u",
  period: "2026-11",
  kind: "month",
  limit: 5_000_000,
  spent: 4_000_000,
  renews: null,
  ...more,
});
afterEach(() => chooseLocale("en"));

describe("sums", () => {
  test("all versions and the title are in the sum; what has no price is counted, not guessed", () => {
    const messages = [
      message("q1", null),
      message("a2", "q1", { usage: usage() }),
      message("a3", "q1", { usage: usage({ cost: null, estimated: true, reasoning: 5 }) }),
    ];
    const total = totalOfConversation(messages, usage({ cost: 7, input: 30 }));
    expect(total).toEqual({ calls: 3, input: 230, cached: 0, output: 60, reasoning: 5, cost: 507, unpriced: 1, estimated: 1 });
  });

  test("what is not loaded is in the sum, and what is loaded is in it once", () => {
    const loaded = [message("q3", "a2"), message("a4", "q3", { usage: usage() })];
    const all = [message("a2", "q1", { usage: usage({ cost: null }) }), ...loaded];
    const rest = restOf(totalOfConversation(all, null), loaded);
    expect(rest).toMatchObject({ calls: 1, cost: 0, unpriced: 1 });
    expect(totalOfConversation(loaded, null, rest)).toEqual(totalOfConversation(all, null));
  });

  test("what is loaded later leaves the sum as it was, until a new total comes", () => {
    const end = [message("q3", "a2"), message("a4", "q3", { usage: usage() })];
    const all = [message("q1", null), message("a2", "q1", { usage: usage({ cost: 7 }) }), ...end];
    const total = totalOfConversation(all, null);
    const rest = restWith(null, total, byId([]), byId(end));
    expect(restWith(rest, null, byId(end), byId(end))).toEqual(rest);
    expect(restWith(rest, undefined, byId(end), byId(all))).toEqual(NOTHING);
    expect(restWith(NOTHING, total, byId(end), byId(end))).toEqual(rest);
    expect([restWith(null, null, byId([]), byId(end)), restWith(NOTHING, null, byId([]), byId(end))]).toEqual([null, null]);
  });

  test("an answer that used nothing is no call", () => {
    expect(totalOf([null, undefined, usage({ input: 0, output: 0, cost: null })]).calls).toBe(0);
  });
});

describe("the estimate", () => {
  const price = { input: 2_000_000, output: 8_000_000 };

  test("four letters are a token, and so is a Korean syllable", () => {
    expect(tokensOf("word".repeat(10))).toBe(10);
    expect(tokensOf("안녕하세요")).toBe(5);
  });

  test("the conversation counts as its last answer was counted, without what was only thought", () => {
    const path = [
      message("q1", null, { parts: [{ type: "text", text: "x".repeat(4000) }] }),
      message("a2", "q1", { usage: usage({ input: 1000, output: 300, reasoning: 100 }) }),
      message("q3", "a2", { parts: [{ type: "text", text: "x".repeat(400) }] }),
    ];
    expect(tokensBefore(path)).toBe(1300);
    expect(tokensBefore(path.slice(0, 1))).toBe(1000);
    expect(tokensBefore([])).toBe(0);
  });

  test("is made for what is long only, and rounded", () => {
    expect(estimateOf("", 0, 100_000, price)).toBeNull();
    expect(estimateOf("x", 0, LONG - 10, price)).toBeNull();
    expect(estimateOf("x".repeat(4), 0, 3_210, price)).toEqual({ tokens: 3200, cost: 6400 });
    expect(estimateOf("x", 0, 12_345, undefined)).toEqual({ tokens: 12_000, cost: null });
    expect(estimateOf("", 2, 0, price)).toEqual({ tokens: 3_000, cost: 6_000 });
  });
});

describe("budgets", () => {
  test("are spoken of from four fifths on, the fullest first", () => {
    expect([spokenOf([], []), spokenOf([budget({ spent: 0 })], [])]).toEqual([null, null]);
    expect([3_999_999, 4_000_000].map((spent) => isNearlyUsed(budget({ spent })))).toEqual([false, true]);
    expect(spokenOf([budget(), budget({ kind: "day", spent: 4_500_000 })], [])?.kind).toBe("day");
    expect(spokenOf([budget(), budget({ limit: 0, spent: 0, kind: "total" })], [])?.kind).toBe("total");
  });

  test("of which the warning is put away leave the others theirs", () => {
    const [own, all] = [budget(), budget({ scope: "all", spent: 4_900_000 })];
    expect(spokenOf([own, all], [warningOf(all)])).toBe(own);
    expect(spokenOf([own, all], [own, all].map(warningOf))).toBeNull();
    const usedUp = budget({ scope: "all", spent: 5_000_000 });
    expect(spokenOf([own, usedUp], [own, all].map(warningOf))).toBe(usedUp);
  });

  const said = (one: Budget): string => sentenceForBudget(one, budgetMessages.get(), money.get(), format.get());

  test("say whose they are, how much is used, and when they renew", () => {
    expect(said(budget())).toBe("80% of your budget for this month is used: $4.00 of $5.00.");
    const noon = Date.UTC(2026, 11, 1, 12);
    expect(said(budget({ scope: "group:a:b", kind: "day", renews: noon }))).toMatch(
      /^80% of the budget of the group “a:b” for today is used: .* It renews on December 1/,
    );
    expect(said(budget({ scope: "all", kind: "total", spent: 5_000_001 }))).toBe(
      "Nothing is left of the budget of this installation for all time ($5.00).",
    );
    expect(said(budget({ scope: "all", kind: "total", limit: 0, spent: 0 }))).toContain("($0.00)");
  });

  test("that had no room are named, also where the reader is not told how much is used", () => {
    const noon = Date.UTC(2026, 11, 1, 12);
    const refused = { scope: "all", kind: "month", limit: 5_000_000, renews: noon } as const;
    expect(sentenceForRefusal(refused, budgetMessages.get(), money.get(), format.get())).toMatch(
      /^Too little is left of the budget of this installation for this month \(\$5\.00\)\. It renews on December 1/,
    );
  });

  test("that had no room are spoken of until they renew", () => {
    const noon = Date.UTC(2026, 11, 1, 12);
    const refused = { scope: "all", kind: "month", limit: 5_000_000, renews: noon } as const;
    expect([noon - 1, noon].map((now) => hasRenewed(refused, now))).toEqual([false, true]);
    expect(hasRenewed({ ...refused, kind: "total", renews: null }, noon)).toBe(false);
  });

  test("and in Korean", () => {
    chooseLocale("ko");
    expect(said(budget())).toBe("내 이번 달 예산 $5.00 중 $4.00(80%)를 사용했어요.");
    expect(money.get()(3)).toBe("$0.0001 미만");
  });
});
