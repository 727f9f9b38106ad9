// Where a text holds formulas: \( … \), \[ … \], $$ … $$ and, as strictly as pandoc and GitHub, $ … $. What is between
// the marks is nobody else's: no emphasis, no escapes, no blocks. See docs/decisions/0041-formulas.md.
import type { MarkdownIt, StateBlock, StateInline } from "markdown-it";

/** Nobody writes a longer one; what a hostile text may cost is bounded by it. */
const LONGEST = 4_000;
const MOST_LINES = 100;
/** A `$` that was opened is taken for a formula's while the text grows only where this much of it has marks of TeX. */
const LONGEST_GUESS = 120;

const CLOSERS: Readonly<Record<string, string>> = { "\\(": "\\)", "\\[": "\\]", $$: "$$", $: "$" };
/** Marks that prose between two dollars does not have. */
const TEX = /[\\^_{}=]/;
/** Two words, or one in a script in which no variable is called. */
const PROSE = /\s\p{L}{2,}|[\p{sc=Hangul}\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}]/u;
/** What may stand right behind `$ … $`: the n$th$ term is a formula, 5$ and 10$US are not. */
const AFTER_DOLLAR = /^(?:$|[^\da-z$]|th\b)/i;
const ONLY_PUNCTUATION = /^[ \t]*[.,;:!?]?[ \t]*$/;
const OPENS_BLOCK = /\$\$|\\\[/;

export interface Found {
  readonly opener: string;
  readonly tex: string;
  /** With its marks. */
  readonly source: string;
}

export function isDisplay(opener: string): boolean {
  return opener === "$$" || opener === "\\[";
}

function openerAt(text: string, at: number): string | null {
  const two = text.slice(at, at + 2);
  if (two === "\\(" || two === "\\[") return two;
  if (two.charAt(0) !== "$" || /[\w$]/.test(text.charAt(at - 1))) return null;
  if (two === "$$") return text.charAt(at + 2) === "$" ? null : two;
  return /^\$\S/.test(two) ? "$" : null;
}

/** Where the closer stands; an escaped character in between is never (the beginning of) one. -1 if it does not come. */
function closing(text: string, from: number, end: number, closer: string): number {
  if (!text.includes(closer, from)) return -1;
  const last = Math.min(end - closer.length, from + LONGEST);
  for (let at = from; at <= last; at += 1) {
    if (text.startsWith(closer, at)) return at;
    if (text.charAt(at) === "\\") at += 1;
  }
  return -1;
}

/** Money, shell variables and whatever else has a dollar before and after it. */
function isProse(tex: string): boolean {
  return !TEX.test(tex) && PROSE.test(tex);
}

function isFormula(opener: string, tex: string, after: string): boolean {
  if (tex.trim() === "") return false;
  if (opener === "$$") return tex.includes("\n") || !isProse(tex);
  if (opener !== "$") return true;
  return !/\s$|[\n`]/.test(tex) && AFTER_DOLLAR.test(after) && !isProse(tex);
}

function formulaAt(text: string, at: number, end: number): Found | null {
  const opener = openerAt(text, at);
  const closer = opener === null ? undefined : CLOSERS[opener];
  if (opener === null || closer === undefined) return null;
  const from = at + opener.length;
  const close = closing(text, from, end, closer);
  if (close < 0) return null;
  const tex = text.slice(from, close);
  const source = text.slice(at, close + closer.length);
  return isFormula(opener, tex, text.slice(close + 1, Math.min(close + 4, end))) ? { opener, tex, source } : null;
}

function inlineFormula(state: StateInline, silent: boolean): boolean {
  const { src, pos, posMax } = state;
  const char = src.charAt(pos);
  if (char !== "$" && char !== "\\") return false;
  const found = formulaAt(src, pos, posMax);
  if (found === null) return state.env["closesOpen"] === true && openFormula(state, silent);
  if (!silent) {
    const token = state.push("formula", "", 0);
    token.content = found.source;
    token.markup = found.opener;
    token.info = found.tex;
  }
  state.pos += found.source.length;
  return true;
}

/** While a text grows, a formula without its end is shown as it is written, so that no mark of it turns into something else. */
function openFormula(state: StateInline, silent: boolean): boolean {
  const { src, pos, posMax } = state;
  const opener = openerAt(src, pos);
  if (opener === null || closing(src, pos + opener.length, posMax, CLOSERS[opener] ?? "") >= 0) return false;
  const source = src.slice(pos, posMax);
  if (opener === "$" ? !isLikelyFormula(source) : source.length > LONGEST) return false;
  if (!silent) state.push(opener === "$" ? "text" : "open_formula", "", 0).content = source;
  state.pos = posMax;
  return true;
}

function isLikelyFormula(source: string): boolean {
  return source.length <= LONGEST_GUESS && TEX.test(source) && !/[\n`]/.test(source);
}

/** The lines from `start` on in which a formula of several lines may be: it never goes past a blank line. */
function linesFrom(state: StateBlock, start: number, end: number): number {
  let line = start + 1;
  while (line < end && line - start < MOST_LINES && !state.isEmpty(line) && (state.sCount[line] ?? -1) >= state.blkIndent) line += 1;
  return line;
}

interface Extent {
  readonly content: string;
  readonly end: number;
}

/** The lines of a formula that begins on `start`; null where there is none, or a paragraph holds it just as well. */
function extent(state: StateBlock, start: number, end: number): Extent | null {
  const last = linesFrom(state, start, end);
  const content = state.getLines(start, last, state.blkIndent, false).trim();
  const found = formulaAt(content, 0, content.length);
  if (found === null) {
    const isGrowing = state.env["provisional"] === true && last === state.bMarks.length - 1 && !content.slice(2).includes(CLOSERS[content.slice(0, 2)] ?? "");
    return isGrowing && content.length <= LONGEST ? { content, end: last } : null;
  }
  const newline = content.indexOf("\n", found.source.length);
  const after = content.slice(found.source.length, newline < 0 ? undefined : newline);
  if (!found.source.includes("\n") && !ONLY_PUNCTUATION.test(after)) return null;
  return { content: found.source + after, end: start + found.source.split("\n").length };
}

/** A formula on lines of its own is a paragraph, whatever its lines look like. */
function formulaLines(state: StateBlock, start: number, end: number, silent: boolean): boolean {
  const at = (state.bMarks[start] ?? 0) + (state.tShift[start] ?? 0);
  if ((state.sCount[start] ?? 0) - state.blkIndent >= 4 || !isDisplay(state.src.slice(at, at + 2))) return false;
  const found = extent(state, start, end);
  if (found === null || silent) return found !== null;
  state.push("paragraph_open", "p", 1).map = [start, found.end];
  const inline = state.push("inline", "", 0);
  inline.content = found.content;
  inline.map = [start, found.end];
  inline.children = [];
  state.push("paragraph_close", "p", -1);
  state.line = found.end;
  return true;
}

export function readFormulas(md: MarkdownIt): void {
  md.inline.ruler.before("escape", "formula", inlineFormula);
  md.block.ruler.before("table", "formula", formulaLines, { alt: ["paragraph", "reference", "blockquote", "list"] });
}

/**
 * The part of complete lines in which no formula is open: what its next lines mean is not known before it is closed, or
 * a blank line says that it was none.
 */
export function beforeOpenFormula(complete: string): string {
  let start = complete.length;
  while (start > 0) {
    const before = complete.lastIndexOf("\n", start - 2) + 1;
    if (/^[ \t]*$/.test(complete.slice(before, start - 1))) break;
    start = before;
  }
  return OPENS_BLOCK.test(complete.slice(start)) ? complete.slice(0, start) : complete;
}
