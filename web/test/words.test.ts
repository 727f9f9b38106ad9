// Where the words of a search stand in a text, as the server finds them.
import { describe, expect, test } from "vitest";
import { densest, spansOf } from "../src/conversation/words.ts";

const found = (query: string, text: string): string[] => spansOf(query, text).map(([start, end]) => text.slice(start, end));

describe("words are found", () => {
  test.each([
    ["needle", "A needle, Needles, and a pinneedle.", ["needle", "Needle"]],
    ["중첩", "중첩된 목록과 비중첩 목록", ["중첩", "중첩"]],
    ["두 글자", "두 개의 글자", ["두", "글자"]],
    ["ＡＢＣ", "abc and ＡＢＣ", ["abc", "ＡＢＣ"]],
    ["café", "A cafe\u0301 and a café", ["cafe\u0301", "café"]],
    ["ﬁn", "fin, and ﬁn", ["fin", "ﬁn"]],
    ["한그", "A 한그 here", ["한그"]],
    ["한글ㄱ", "half a syllable of 한글", ["한글"]],
    ["%*'", "signs %*' alone", []],
    ["", "anything", []],
    ["naïve", "😀 naïve", ["naïve"]],
  ])("%j in %j", (query, text, expected) => expect(found(query, text)).toEqual(expected));

  test.each(["중첩", "두 글자", "값"])("%j, composed or not, in a text composed or not", (word) => {
    for (const query of [word, word.normalize("NFD")]) {
      for (const text of [`목록에 ${word}은 있다`, `목록에 ${word}은 있다`.normalize("NFD")]) {
        expect(found(query, text).join(" ").normalize("NFC")).toBe(word);
      }
    }
  });
});

test("the densest place is where most of them are together", () => {
  const text = `one ${"- ".repeat(80)} one two three ${"- ".repeat(80)} two`;
  expect(densest(spansOf("one two three", text))?.[0]).toBe(text.indexOf("one two"));
  expect(densest([])).toBeNull();
});

test("a long text takes no long time", () => {
  const text = "가나다 abc 한국어 e\u0301 ".repeat(12_000);
  const begun = performance.now();
  expect(spansOf("한국어 abc", text)).toHaveLength(24_000);
  expect(performance.now() - begun).toBeLessThan(1_500);
});
