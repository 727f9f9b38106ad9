// The one Markdown parser of the page: markdown-it, set to what models write, without HTML, and friendly to Korean.
import createMarkdownIt, { type MarkdownIt, type StateBlock, type StateCore, type StateInline, type Token } from "markdown-it";
import cjkFriendly from "markdown-it-cjk-friendly";

import { readFormulas } from "./formula-rules.ts";
import { LinkifyIt } from "./slim/linkify.ts";
import { encode } from "./slim/url.ts";

export type { Token };
export type References = Record<string, { title: string; href: string }>;

/** Quotes and lists nested deeper than this go on as a plain paragraph; markdown-it itself would drop their text. */
const DEEPEST = 60;
/** A paragraph longer than this is shown without emphasis and links: nobody writes one, and hostile ones cost most here. */
const LONGEST_INLINE = 20_000;

const BREAK = /^<br ?\/?>/i;

/** `<br>` is the one tag that models need: there is no other line break in a table cell. */
function lineBreakTag(state: StateInline, silent: boolean): boolean {
  if (state.src.charCodeAt(state.pos) !== 0x3c) return false;
  const found = BREAK.exec(state.src.slice(state.pos, state.pos + 6));
  if (found === null) return false;
  if (!silent) state.push("hardbreak", "br", 0);
  state.pos += found[0].length;
  return true;
}

function parseInline(state: StateCore): void {
  const last = state.env["provisional"] === true ? state.tokens.findLastIndex((token) => token.type === "inline") : -1;
  state.tokens.forEach((token, index) => {
    if (token.type !== "inline") return;
    const children = (token.children ??= []);
    if (token.content.length > LONGEST_INLINE) {
      const text = new state.Token("text", "", 0);
      text.content = token.content;
      children.push(text);
      return;
    }
    const env = index === last ? { ...state.env, closesOpen: true } : state.env;
    state.md.inline.parse(token.content, state.md, env, children);
  });
}

/** While a text still grows, emphasis that was opened and not closed yet is shown as emphasis, not as its marks. */
function closeOpenEmphasis(state: StateInline): void {
  if (state.env["closesOpen"] !== true) return;
  const { delimiters } = state;
  for (let index = delimiters.length - 1; index >= 0; index -= 1) {
    const opener = delimiters[index];
    if (opener === undefined || opener.end >= 0 || !opener.open || opener.close || state.tokens[opener.token] === undefined) continue;
    const closer = state.push("text", "", 0);
    closer.content = "";
    delimiters.push({ marker: opener.marker, length: 0, token: state.tokens.length - 1, end: -1, open: false, close: false });
    opener.end = delimiters.length - 1;
  }
}

function keepTextBelowDeepest(md: MarkdownIt): void {
  const tokenize = md.block.tokenize.bind(md.block);
  md.block.tokenize = (state: StateBlock, startLine: number, endLine: number): void => {
    if (state.level < DEEPEST) {
      tokenize(state, startLine, endLine);
      return;
    }
    const content = state.getLines(startLine, endLine, state.blkIndent, false).trim();
    state.line = endLine;
    if (content === "") return;
    state.push("paragraph_open", "p", 1).map = [startLine, endLine];
    const inline = state.push("inline", "", 0);
    inline.content = content;
    inline.map = [startLine, endLine];
    inline.children = [];
    state.push("paragraph_close", "p", -1);
  };
}

function create(): MarkdownIt {
  const md = createMarkdownIt({ html: false, linkify: true, breaks: true });
  md.use(cjkFriendly);
  md.options.maxNesting = DEEPEST + 40;
  md.linkify = new LinkifyIt() as unknown as typeof md.linkify;
  md.validateLink = (url: string): boolean => /^(?:https?:\/\/[^/?#]|mailto:[^?#])/i.test(url);
  md.normalizeLink = encode;
  md.normalizeLinkText = (text: string): string => text;
  md.core.ruler.at("inline", parseInline);
  md.block.ruler.disable("html_block");
  md.inline.ruler.at("html_inline", lineBreakTag);
  md.inline.ruler2.after("balance_pairs", "close_open_emphasis", closeOpenEmphasis);
  readFormulas(md);
  keepTextBelowDeepest(md);
  return md;
}

const md = create();

/** Parses whole blocks; the definitions of link references found in them are added to `references`. */
export function parse(source: string, references: References): Token[] {
  return md.parse(source, { references });
}

/** Parses text that is still growing: nothing in it is remembered, and what is open is shown as if it were closed. */
export function parseGrowing(source: string, references: References): Token[] {
  return md.parse(source, { references: Object.create(references) as References, provisional: true });
}

/** Block structure alone: where blocks begin and end, without the text inside of them. */
export function parseBlocks(source: string, references: References): Token[] {
  const tokens: Token[] = [];
  md.block.parse(source, md, { references: Object.create(references) as References }, tokens);
  return tokens.filter((token) => token.type !== "reference_definition");
}
