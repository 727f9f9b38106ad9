import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { composerMessages, conversationMessages, errorMessages, problemMessages, sidebarMessages, signInErrorMessages } from "../src/i18n/catalogue.ts";
import * as en from "../src/i18n/en.ts";
import { sentenceFor, sentenceForEntering, sentenceForProblem } from "../src/i18n/failure.ts";
import { ko } from "../src/i18n/ko.ts";
import * as admin from "../src/i18n/admin/en.ts";
import { ko as adminKo } from "../src/i18n/admin/ko.ts";
import * as dialogs from "../src/i18n/dialogs/en.ts";
import { ko as dialogsKo } from "../src/i18n/dialogs/ko.ts";
import * as images from "../src/i18n/images/en.ts";
import { ko as imagesKo } from "../src/i18n/images/ko.ts";
import * as rare from "../src/i18n/rare/en.ts";
import { ko as rareKo } from "../src/i18n/rare/ko.ts";
import { usageMessages } from "../src/i18n/screens/catalogue.ts";
import * as screens from "../src/i18n/screens/en.ts";
import { ko as screensKo } from "../src/i18n/screens/ko.ts";
import { chooseLocale, locale, localeOf } from "../src/i18n/locale.ts";

const all: Record<string, Record<string, unknown>> = { ...en, ...dialogs, ...screens, ...admin, ...images, ...rare };
const allKorean: Record<string, Record<string, unknown>> = { ...ko, ...dialogsKo, ...screensKo, ...adminKo, ...imagesKo, ...rareKo };
const names = Object.keys(all);

/** The text that stands behind a key, whatever it is wrapped in. */
function wording(entry: unknown): string {
  const input: unknown = typeof entry === "object" && entry !== null && "input" in entry ? entry.input : entry;
  return typeof input === "string" ? input : Object.values(input as Record<string, string>).join(" ");
}

const parameters = (text: string): string[] => [...new Set(text.match(/\{\w+\}/g) ?? [])].sort();

test.each(names)("every key of %s is in Korean, with the same parameters", (name) => {
  const english = all[name] ?? {};
  const korean = allKorean[name] ?? {};
  expect(Object.keys(korean).sort()).toEqual(Object.keys(english).sort());
  for (const [key, entry] of Object.entries(english)) {
    expect(wording(korean[key]), key).not.toBe("");
    expect(parameters(wording(korean[key])), key).toEqual(parameters(wording(entry)));
  }
});

test("no two parts of the catalogue have the same name", () => {
  expect(names).toHaveLength([en, dialogs, screens, admin, images, rare].flatMap(Object.keys).length);
});

test("the language changes what is said, plurals and numbers included", () => {
  chooseLocale("en");
  expect([sidebarMessages.get().hits(1), sidebarMessages.get().hits(2)]).toEqual(["1 conversation found", "2 conversations found"]);
  chooseLocale("ko");
  expect(locale.get()).toBe("ko");
  expect(sidebarMessages.get().hits(2)).toBe("대화 2개를 찾았어요");
  expect(conversationMessages.get().version({ index: 2, total: 3 })).toBe("3개 중 2번째 버전");
  chooseLocale("en");
});

test("a number stands where the language has it", () => {
  chooseLocale("en");
  expect(usageMessages.get().reasoning({ tokens: "560" })).toBe("560 for reasoning");
  chooseLocale("ko");
  expect(usageMessages.get().reasoning({ tokens: "560" })).toBe("생각 과정 560토큰");
  expect(usageMessages.get().cached({ tokens: "1,200" })).toBe("캐시된 입력 1,200토큰");
  chooseLocale("en");
});

test.each([
  [["ko-KR", "en"], "ko"],
  [["fr", "KO"], "ko"],
  [["en-GB", "ko"], "en"],
  [["ja"], "en"],
  [[], "en"],
])("a browser that prefers %s gets %s", (languages, expected) => {
  expect(localeOf(languages)).toBe(expected);
});

test.each([
  ["conversation", 15],
  ["accounts", 3],
  ["sign_in", 8],
])("every error type of %s has a sentence of its own", (owner, least) => {
  const source = readFileSync(`../src/daehwa/${owner}/errors.py`, "utf8");
  const types = [...source.matchAll(/^ {4}type(?:: \S+)? = "(\w+)"/gm)].map((found) => found[1]);
  expect(types.length).toBeGreaterThan(least);
  const told = Object.keys({ ...en.errors, ...rare.rareErrors, ...en.signInErrors });
  for (const type of types) expect(told).toContain(type);
});

test("every error of images has a sentence of its own", () => {
  const source = readFileSync("../src/daehwa/conversation/images.py", "utf8");
  const types = [...source.matchAll(/^ {4}type = "(\w+)"/gm)].map((found) => found[1]);
  expect(types.length).toBeGreaterThan(2);
  for (const type of types) expect(Object.keys(images.imageErrors)).toContain(type);
});

test("an unknown error still gets a sentence, and a wait is told", () => {
  const sentences = errorMessages.get();
  expect(sentenceFor({ type: "constructor", message: "x" }, sentences)).toBe(en.errors.unknown);
  expect(sentenceFor({ type: "upstream_rate_limit", message: "x", retry_after: 1.2 }, sentences)).toMatch(/Try again in 2 seconds\.$/);
  expect(sentenceFor({ type: "upstream_unavailable", message: "x", retry_after: 1 }, sentences)).toMatch(/own\. Try again in 1 second\.$/);
  expect(sentenceFor({ type: "upstream_rate_limit", message: "x", retry_after: 119 }, sentences)).toMatch(/Try again in 119 seconds\.$/);
  expect(sentenceFor({ type: "upstream_rate_limit", message: "x", retry_after: 121 }, sentences)).toMatch(/Try again in 3 minutes\.$/);
  expect(sentenceFor({ type: "budget_exceeded", message: "x", retry_after: 90_000 }, sentences)).toBe(en.errors.budget_exceeded);
  expect(sentenceFor({ type: "upstream_unavailable", message: "x" }, sentences)).toMatch(/own\. Try again in a moment\.$/);
});

test("an error that only the screens meet has its sentence with them, in the language of the page", () => {
  const failure = { type: "link_gone", message: "x" };
  expect(sentenceFor(failure, errorMessages.get())).toBe(rare.rareErrors.link_gone);
  expect(sentenceForEntering(failure, signInErrorMessages.get(), errorMessages.get())).toBe(rare.rareErrors.link_gone);
  chooseLocale("ko");
  expect(sentenceFor(failure, errorMessages.get())).toBe(rareKo.rareErrors.link_gone);
  chooseLocale("en");
});

test("what is to be done is told as the home has it", () => {
  const failure = { type: "upstream_auth", message: "x" };
  expect(sentenceFor(failure, errorMessages.get())).toContain("OPENAI_API_KEY");
  expect(sentenceFor(failure, errorMessages.get(), "aws")).toContain("`daehwa deploy set-key`");
  expect(sentenceFor({ type: "network", message: "x" }, errorMessages.get(), "aws")).toBe(en.errors.network);
});

test("a text that is too long is told by how much, one character included", () => {
  const { tooLong } = composerMessages.get();
  expect(tooLong({ over: "1", limit: "10" })(1)).toBe("1 character too long. The limit is 10.");
  expect(tooLong({ over: "1,200", limit: "10" })(1200)).toBe("1,200 characters too long. The limit is 10.");
});

const problem = (type: string) => ({ provider: "openai", type, message: "As the server says it." });

test.each([
  ["en", "upstream_auth", "openai cannot be asked: it does not accept the API key."],
  ["ko", "upstream_auth", "openai에 물어볼 수 없어요. API 키를 받아들이지 않아요."],
  ["en", "never_seen", "openai cannot be asked: something went wrong."],
  ["en", "cannot", "openai cannot be asked: something went wrong."],
  ["en", "model_not_installed", "The small model is not installed. In a terminal: `daehwa fetch-model`."],
  ["en", "key_not_set", "There is no key for the models yet. An admin must set it, in a terminal: `daehwa deploy set-key`."],
  ["ko", "unavailable", "지금은 openai 모델을 사용할 수 없어요."],
])("why there is no model, in %s: %s", (language, type, sentence) => {
  chooseLocale(language);
  expect(sentenceForProblem(problem(type), problemMessages.get(), errorMessages.get())).toBe(sentence);
  chooseLocale("en");
});
