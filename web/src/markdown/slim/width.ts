// Stands in for `get-east-asian-width`: as coarse as markdown-it-cjk-friendly needs it, which asks what is CJK.

const WIDE =
  /[\u1100-\u115F\u2E80-\u303E\u3041-\u4DBF\u4E00-\uA4CF\uA960-\uA97C\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\u{16FE0}-\u{18CFF}\u{1AFF0}-\u{1B2FB}\u{1F200}-\u{1F202}\u{1F210}-\u{1F23B}\u{20000}-\u{3FFFD}]/u;
const FULL_OR_HALF = /[\u20A9\u3000\uFF01-\uFFE6]/u;
const VARIATION = /[\uFE00-\uFE0F\u{E0100}-\u{E01EF}‘’“”]/u;

export type Width = "wide" | "fullwidth" | "ambiguous" | "neutral";

export function eastAsianWidthType(codePoint: number): Width {
  const char = String.fromCodePoint(codePoint);
  if (FULL_OR_HALF.test(char)) return "fullwidth";
  if (WIDE.test(char)) return "wide";
  return VARIATION.test(char) ? "ambiguous" : "neutral";
}
