/** A found piece of Markdown as it reads, without its commonest marks. Pure. */
import type { Segment } from "../api/wire.ts";

/** Each matches marks alone, never a word; what may be code (`2**3`, `a * b`, `snake_case`) stays. */
const MARKS = [
  /(?<=^…?)(?:[ \t]*(?:#{1,6}[ \t]+|>[ \t]?|[-*+][ \t]+|\[[ xX]\][ \t]+))+/gm,
  /(?<=^…?[ \t>]*\d{1,9}[.)][ \t]+)\[[ xX]\][ \t]+/gm,
  /```[\w+-]*\n?|`+/g,
  /(?<![\w*])\*{1,3}(?=[^\s*])|(?<=[^\s*])\*{1,3}(?![\w*])/g,
  /~~/g,
  /\[(?=[^\][\n]+\]\([^()\s]*\))|(?<=\[[^\][\n]+)\]\([^()\s]*\)/g,
];

export function withoutMarks(segments: readonly Segment[]): Segment[] {
  const text = segments.map((segment) => segment.text).join("");
  const isMark = new Uint8Array(text.length);
  for (const marks of MARKS) {
    for (const found of text.matchAll(marks)) isMark.fill(1, found.index, found.index + found[0].length);
  }
  let at = 0;
  return segments.map((segment) => {
    const kept = segment.text.split("").filter((_, index) => isMark[at + index] === 0);
    at += segment.text.length;
    return { ...segment, text: kept.join("") };
  });
}
