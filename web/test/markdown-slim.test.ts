// @vitest-environment jsdom
// The parts that stand in for markdown-it's larger ones say the same as what they stand for.
import { describe, expect, it } from "vitest";

import { decodeHTMLStrict } from "../src/markdown/slim/entities.ts";
import { LinkifyIt } from "../src/markdown/slim/linkify.ts";
import { encode } from "../src/markdown/slim/url.ts";
import { eastAsianWidthType } from "../src/markdown/slim/width.ts";

function byBrowser(reference: string): string {
  const area = document.createElement("textarea");
  area.innerHTML = reference;
  return area.value;
}

const names = (
  "amp lt gt quot apos nbsp copy reg para sup2 frac12 Agrave times szlig eacute divide yuml alpha beta sigmaf sigma omega Alpha Sigma " +
  "Omega hellip mdash ndash lsquo rdquo bull euro trade larr rarr hArr forall part sum minus radic infin ne le ge sube perp check star " +
  "ensp zwj fnof OElig lfloor hearts dollar lbrack"
).split(" ");

describe("character references", () => {
  it.each(names)("%s", (name) => {
    expect(decodeHTMLStrict(`&${name};`)).toBe(byBrowser(`&${name};`));
  });

  it("unknown ones stay as they are", () => {
    expect(decodeHTMLStrict("&nothing;")).toBe("&nothing;");
  });
});

describe("addresses", () => {
  it("escapes what they may not hold, once", () => {
    expect(encode('https://e.com/가 b%20c%zz?q="x"&y=[1]#é\ud800')).toBe(
      "https://e.com/%EA%B0%80%20b%20c%25zz?q=%22x%22&y=%5B1%5D#%C3%A9%EF%BF%BD",
    );
  });

  it.each([
    ["see https://e.com/a.", ["https://e.com/a"]],
    ["(https://e.com/a_(b))", ["https://e.com/a_(b)"]],
    ["www.e.com, http://localhost:8000/x", ["www.e.com", "http://localhost:8000/x"]],
    ["https://e.com는 https://e.com/가는", ["https://e.com", "https://e.com/가는"]],
    ["a@https://e.com xhttp://e.com www. http://", []],
  ])("finds them in %j", (text, found) => {
    expect((new LinkifyIt().match(text) ?? []).map((link) => link.text)).toEqual(found);
  });
});

describe("width", () => {
  it.each([
    ["가", "wide"],
    ["ㄱ", "wide"],
    ["漢", "wide"],
    ["ひ", "wide"],
    ["「", "wide"],
    ["。", "wide"],
    ["！", "fullwidth"],
    ["𠮷", "wide"],
    ["“", "ambiguous"],
    ["a", "neutral"],
    ["é", "neutral"],
  ])("of %s is %s", (char, width) => {
    expect(eastAsianWidthType(char.codePointAt(0) ?? 0)).toBe(width);
  });
});
