// What of a growing text is shown already. Marks whose meaning the next characters decide are held back for that moment,
// so that nothing flashes up as one thing and turns into another.

/** A line that so far only has the marks of some block: bullet, number, heading, rule, quote, task. */
const ONLY_MARKS = /^\s*(?:(?:[-+*]|\d{1,9}[.)]|>)\s+)*(?:[-+*_=#>\s]+|\d{1,9}[.)]?\s*|\[(?:[ xX]\]?)?)$/;
/** The line that opens a fence: its language is not known before its end. */
const FENCE = /^\s*(?:(?:[-+*]|\d{1,9}[.)]|>)\s+)*(?:```|~~~)/;
const FENCES = new RegExp(FENCE.source, "gm");
const ROW = /^\s*\|/;
const DELIMITER_ROW = /^\s*\|[\s|:-]*$/;
/** Inline marks that the next character may still turn into something. */
const DANGLING = /(?:\*{1,3}|_{1,3}|~{1,2}|`{1,2}|!?\[|\\|<(?:b(?:r ?\/?)?)?|&[a-z\d#]{0,8})$/i;
const UNFINISHED_LINK = /!?\[([^[\]\n]{1,300})\](?:\([^()\s]{0,2000}(?:\s+["'][^"'\n]*)?)$/;
const UNFINISHED_LABEL = /(^|[\s(*_"'“‘>])!?\[((?![xX]\]?$)\p{L}[^[\]\n]{0,300})\]?$/u;
/** Brackets in a formula open no link. */
const OPENS_FORMULA = /\\[([]/;

/** The tail of a text without what it would be too early to show. */
export function settled(tail: string): string {
  const start = tail.lastIndexOf("\n") + 1;
  const complete = tail.slice(0, start);
  const line = tail.slice(start);
  const held = tableHeader(complete, line);
  if (held !== null) return complete.slice(0, start - held);
  if (ONLY_MARKS.test(line) || FENCE.test(line)) return complete;
  const shown = line.replace(DANGLING, "");
  if (isInsideFence(complete)) return complete + shown;
  return complete + withOpenCodeClosed(complete, withoutOpenLink(shown));
}

function isInsideFence(complete: string): boolean {
  let isInside = false;
  for (const _ of complete.matchAll(FENCES)) isInside = !isInside;
  return isInside;
}

/** A table's first row looks like a paragraph until the row under it is there: how much of the complete lines waits too. */
function tableHeader(complete: string, line: string): number | null {
  if (line !== "" && !ROW.test(line)) return null;
  const end = complete.length - 1;
  const last = complete.slice(complete.lastIndexOf("\n", end - 1) + 1, Math.max(end, 0));
  if (!ROW.test(last)) return line === "" ? null : 0;
  const isSecondRow = !ROW.test(complete.slice(complete.lastIndexOf("\n", end - last.length - 2) + 1, end - last.length));
  return isSecondRow && (line === "" || DELIMITER_ROW.test(line)) ? last.length + 1 : null;
}

function withoutOpenLink(line: string): string {
  if (OPENS_FORMULA.test(line)) return line;
  return line.replace(UNFINISHED_LINK, "$1").replace(UNFINISHED_LABEL, "$1$2");
}

function withOpenCodeClosed(before: string, line: string): string {
  if (!line.includes("`")) return line;
  const paragraph = before.slice(before.lastIndexOf("\n\n") + 1) + line;
  let open = "";
  for (const [run] of paragraph.matchAll(/(?<!\\)`+/g)) {
    if (open === "") open = run;
    else if (open === run) open = "";
  }
  return open === "" || open.length > 2 ? line : line + open;
}
