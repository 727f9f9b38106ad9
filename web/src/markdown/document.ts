// The text of one message on the page. Blocks that later text can no longer change are written once and dropped from
// what the parser reads; only the tail behind them, mostly a paragraph or a list item, is parsed again as it grows.
import { CodeBlock } from "./code-block.ts";
import { DomCursor } from "./cursor.ts";
import { fenceOpening, GrowingFence } from "./fence.ts";
import { beforeOpenFormula } from "./formula-rules.ts";
import type { MarkdownOptions } from "./options.ts";
import { parse, parseBlocks, parseGrowing, type References, type Token } from "./parser.ts";
import { settled } from "./provisional.ts";
import { codeBlockAt, type Container, LEVEL_ABOVE, looseLists, render } from "./render.ts";

interface Cut {
  /** The first line that stays in the tail. */
  readonly line: number;
  /** The lines at the tail's beginning that are its head: a table's, needed to read its further rows. */
  readonly head: readonly [number, number] | null;
  /** The cut is inside of a list or a table. */
  readonly isInside: boolean;
  /** It is inside of a list with a blank line somewhere before the cut. */
  readonly isLoose: boolean;
}

export class MarkdownDocument {
  private tail = "";
  private fence: GrowingFence | null = null;
  private resumed: Container | null = null;
  /** The level of the last finished heading. */
  private headingLevel = LEVEL_ABOVE;
  /** The last finished node. */
  private finished: ChildNode | null = null;
  /** How much of the tail was already looked at for finished blocks. */
  private examined = 0;
  /** What of the tail stands on the page; null after a change of what is before it. */
  private shown: string | null = null;

  constructor(
    private readonly into: HTMLElement,
    private readonly options: MarkdownOptions,
    private readonly codeBlocks: Set<CodeBlock>,
    readonly references: References,
    /** Written over the same text once more: what is there is taken over, so fences are not written past it. */
    private readonly isSecondPass = false,
  ) {}

  get hasReferences(): boolean {
    for (const _ in this.references) return true;
    return false;
  }

  /** The length of what is parsed again as it grows. */
  get unfinished(): number {
    return this.tail.length;
  }

  /** Takes text (line ends are \n) and writes all blocks that it finishes. */
  feed(text: string): void {
    if (this.fence === null) this.tail += text;
    else {
      const rest = this.fence.feed(text);
      if (rest === null) return;
      this.leaveFence(rest);
    }
    this.commit();
  }

  /** Shows the tail as far as it can be told by now. */
  show(): void {
    if (this.fence !== null) return;
    const source = settled(this.tail);
    if (source === this.shown) return;
    this.writeTail(parseGrowing, source, false);
    this.shown = source;
  }

  finish(): void {
    if (this.fence === null) this.writeTail(parse, this.tail, true);
    else {
      this.fence.finish();
      new DomCursor(this.into, this.fence.block.element).clearRest();
    }
    for (const block of this.codeBlocks) block.close();
  }

  private writeTail(parser: typeof parse, source: string, isFinished: boolean): void {
    const cursor = new DomCursor(this.into, this.finished);
    const tokens = parser(source, this.references);
    const { options, codeBlocks, resumed, headingLevel } = this;
    render(cursor, { source, tokens, options, codeBlocks, resumed, isFinished, isCut: false, headingLevel });
    cursor.clearRest();
  }

  private leaveFence(rest: string): void {
    this.finished = this.fence?.block.element ?? null;
    this.fence = null;
    this.tail = rest;
    this.shown = null;
    this.examined = 0;
  }

  /** Writes what is finished in the complete lines, as often as there is more. */
  private commit(): void {
    for (;;) {
      const end = this.tail.lastIndexOf("\n") + 1;
      if (end <= this.examined) return;
      const complete = this.tail.slice(0, end);
      if (!this.enterFence(complete)) {
        const certain = beforeOpenFormula(complete);
        const cut = findCut(parseBlocks(certain, this.references), certain);
        if (cut === null) {
          this.examined = end;
          return;
        }
        this.write(complete, cut);
        if (!this.enterFence(this.tail.slice(0, this.tail.lastIndexOf("\n") + 1))) {
          this.examined = this.tail.lastIndexOf("\n") + 1;
          return;
        }
      }
      if (this.fence !== null) return;
    }
  }

  private write(complete: string, cut: Cut): void {
    const at = lineStart(complete, cut.line);
    this.shown = null;
    const source = complete.slice(0, at);
    const cursor = new DomCursor(this.into, this.finished);
    const tokens = parse(source, this.references);
    const { options, codeBlocks, resumed, headingLevel } = this;
    const isCut = cut.isInside;
    const written = render(cursor, { source, tokens, options, codeBlocks, resumed, isFinished: true, isCut, headingLevel });
    const { open } = written;
    this.headingLevel = written.headingLevel;
    this.resumed = open === null ? null : { after: open.after, isLoose: open.isLoose || cut.isLoose };
    const last = cursor.passed;
    this.finished = cut.isInside ? (last?.previousSibling ?? null) : last;
    const head = cut.head === null ? "" : complete.slice(lineStart(complete, cut.head[0]), lineStart(complete, cut.head[1]));
    this.tail = head + this.tail.slice(at);
  }

  /** Where the tail begins with a fence, its lines need no parser from here on. True if there is a new tail to look at. */
  private enterFence(complete: string): boolean {
    if (this.isSecondPass || this.resumed !== null) return false;
    const opening = fenceOpening(complete);
    if (opening === null) return false;
    const cursor = new DomCursor(this.into, this.finished);
    const block = CodeBlock.of(codeBlockAt(cursor, opening.info, this.options));
    if (block === undefined) return false;
    cursor.clearRest();
    block.update("", false);
    this.codeBlocks.add(block);
    this.fence = new GrowingFence(block, opening.marks);
    const rest = this.fence.feed(this.tail.slice(opening.length));
    this.tail = "";
    if (rest !== null) this.leaveFence(rest);
    return true;
  }
}

function lineStart(text: string, line: number): number {
  let at = 0;
  for (let count = 0; count < line; count += 1) at = text.indexOf("\n", at) + 1;
  return at;
}

/** Where the finished part of these complete lines ends; null if no block in them is finished for certain. */
function findCut(tokens: readonly Token[], source: string): Cut | null {
  const blocks = tokens.filter((token) => token.level === 0 && token.nesting >= 0 && token.map !== null);
  const last = blocks.at(-1);
  if (last?.map === undefined || last.map === null) return null;
  const [start, end] = last.map;
  if (last.type === "table_open" && end - start > 3) {
    return { line: end - 1, head: [start, start + 2], isInside: true, isLoose: false };
  }
  const item = last.type.endsWith("list_open") ? lastOfSeveralItems(tokens, last) : null;
  if (item !== null) {
    return { line: item, head: null, isInside: true, isLoose: looseLists(tokens, source).has(tokens.lastIndexOf(last)) };
  }
  const line = blocks.at(firstUnfinished(blocks, last))?.map?.[0];
  return line === undefined || line === blocks[0]?.map?.[0] ? null : { line, head: null, isInside: false, isLoose: false };
}

/** The lines of a paragraph right under a link's definition may turn out to be the definition's title. */
function firstUnfinished(blocks: readonly Token[], last: Token): number {
  const before = blocks.at(-2);
  const isOne = before?.type === "reference_definition" && before.map?.[1] === last.map?.[0] && last.type === "paragraph_open";
  return isOne ? -2 : -1;
}

function lastOfSeveralItems(tokens: readonly Token[], list: Token): number | null {
  const items = tokens.slice(tokens.lastIndexOf(list)).filter((token) => token.level === 1 && token.type === "list_item_open");
  return items.length < 2 ? null : (items.at(-1)?.map?.[0] ?? null);
}
