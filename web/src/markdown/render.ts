// Tokens → DOM. Every element is made here, by name; text only ever becomes text, so nothing that a model writes is
// read as HTML, and no policy or sanitiser is needed.
import { CodeBlock } from "./code-block.ts";
import { type DomCursor, setAttribute } from "./cursor.ts";
import { writeFormula, writeOpenFormula } from "./formula.ts";
import type { MarkdownOptions } from "./options.ts";
import type { Token } from "./parser.ts";

/** A list or a table of which the first part is finished: what comes next goes behind `after`. */
export interface Container {
  readonly after: ChildNode | null;
  readonly isLoose: boolean;
}

export interface RenderRequest {
  readonly source: string;
  readonly tokens: readonly Token[];
  readonly options: MarkdownOptions;
  readonly codeBlocks: Set<CodeBlock>;
  /** The first block goes on with this. */
  readonly resumed: Container | null;
  /** No later text will change any of this. */
  readonly isFinished: boolean;
  /** The last block goes on in the text that comes after this one. */
  readonly isCut: boolean;
  /** The level of the heading before this text. */
  readonly headingLevel: number;
}

export interface Rendered {
  /** What is left open, where the request says that the last block is cut. */
  readonly open: Container | null;
  readonly headingLevel: number;
}

/** Writes the tokens at the cursor. */
export function render(cursor: DomCursor, request: RenderRequest): Rendered {
  return new Rendering(cursor, request).run();
}

/** Levels one to three are the page's own: the conversation, a question, its answer. */
export const LEVEL_ABOVE = 3;
const TASK = /^\[([ xX])\](?=[ \t\n]|$)[ \t\n]?/;

class Rendering {
  private index = 0;
  private links = 0;
  private readonly loose: ReadonlySet<number>;
  private cut: Container | null = null;
  private isTopListLoose = false;
  private readonly lists: HTMLElement[] = [];
  private headingLevel: number;

  constructor(
    private readonly cursor: DomCursor,
    private readonly request: RenderRequest,
  ) {
    this.loose = looseLists(request.tokens, request.source);
    this.headingLevel = request.headingLevel;
  }

  run(): Rendered {
    const { tokens } = this.request;
    for (; this.index < tokens.length; this.index += 1) {
      const token = tokens[this.index];
      if (token !== undefined) this.block(token);
    }
    return { open: this.cut, headingLevel: this.headingLevel };
  }

  private block(token: Token): void {
    const { cursor } = this;
    switch (token.type) {
      case "inline":
        this.inline(token.children ?? []);
        return;
      case "paragraph_open":
        this.openParagraph();
        return;
      case "heading_open":
        this.openHeading(token.tag);
        return;
      case "bullet_list_open":
      case "ordered_list_open":
        this.openList(token);
        return;
      case "bullet_list_close":
      case "ordered_list_close":
        this.closeContainer(token.level, this.isTopListLoose);
        noteDigits(this.lists.pop());
        return;
      case "list_item_open":
        cursor.open("li", this.taskMark() === null ? "" : "md-task");
        return;
      case "blockquote_open":
        cursor.open("blockquote");
        return;
      case "hr":
        cursor.open("hr");
        cursor.close();
        return;
      case "fence":
      case "code_block":
        this.code(token);
        return;
      default:
        this.tablePart(token);
    }
  }

  private tablePart(token: Token): void {
    const { cursor } = this;
    switch (token.type) {
      case "table_open":
        this.openTable();
        return;
      case "table_close":
        cursor.close();
        cursor.close();
        return;
      case "tbody_open":
        this.openTableBody(token);
        return;
      case "tbody_close":
        this.closeContainer(token.level - 1, false);
        return;
      case "th_open":
      case "td_open":
        cursor.open(token.tag, alignment(token));
        return;
      case "thead_open":
      case "tr_open":
        cursor.open(token.tag);
        return;
      default:
        if (token.nesting < 0) cursor.close();
    }
  }

  private openList(token: Token): void {
    const resumed = this.index === 0 ? this.request.resumed : null;
    const isLoose = this.loose.has(this.index) || resumed?.isLoose === true;
    if (token.level === 0) this.isTopListLoose = isLoose;
    const list = this.cursor.leaf(
      (node) => node.localName === token.tag,
      () => this.cursor.document.createElement(token.tag),
    );
    setAttribute(list, "class", isLoose ? "md-loose" : null);
    if (resumed === null) setAttribute(list, "start", attribute(token, "start"));
    this.lists.push(list);
    this.cursor.enter(list, resumed?.after ?? null);
  }

  private closeContainer(level: number, isLoose: boolean): void {
    if (this.request.isCut && level === 0 && this.isLastBlock()) {
      this.cut = { after: this.cursor.passed, isLoose };
      this.cursor.leave();
    } else this.cursor.close();
  }

  private isLastBlock(): boolean {
    const rest = this.request.tokens.slice(this.index + 1);
    return rest.every((token) => token.type === "table_close");
  }

  /** The box of the task that begins here: checked, not checked, or null where this item is no task. */
  private taskMark(): boolean | null {
    const [paragraph, inline] = this.request.tokens.slice(this.index + 1, this.index + 3);
    if (paragraph?.type !== "paragraph_open" || inline?.type !== "inline") return null;
    const first = inline.children?.[0];
    const mark = first?.type === "text" ? TASK.exec(first.content) : null;
    return mark === null ? null : mark[1] !== " ";
  }

  private openParagraph(): void {
    const { cursor } = this;
    const before = this.request.tokens[this.index - 1];
    this.index -= 1;
    const isTask = before?.type === "list_item_open" ? this.taskMark() : null;
    this.index += 1;
    if (isTask === null) {
      cursor.open("p");
      return;
    }
    cursor.open("label");
    const box = cursor.leaf(
      (node) => node.localName === "input",
      () => Object.assign(cursor.document.createElement("input"), { type: "checkbox", disabled: true }),
    ) as HTMLInputElement;
    setAttribute(box, "checked", isTask ? "" : null);
    const first = this.request.tokens[this.index + 1]?.children?.[0];
    if (first !== undefined) first.content = ` ${first.content.replace(TASK, "")}`;
  }

  /** Looks as it was written; its place in the outline never skips a level, whatever a model begins with. */
  private openHeading(tag: string): void {
    const level = Number(tag.slice(1));
    this.headingLevel = Math.min(6, level + LEVEL_ABOVE, this.headingLevel + 1);
    this.cursor.open(`h${String(this.headingLevel)}`, `md-h${String(level)}`);
  }

  private code(token: Token): void {
    const { cursor, request } = this;
    const info = token.type === "fence" ? token.info.trim() : "";
    const element = codeBlockAt(cursor, info, request.options);
    const block = CodeBlock.of(element);
    if (block === undefined) return;
    request.codeBlocks.add(block);
    block.update(token.content.replace(/\n$/, ""), request.isFinished);
  }

  private openTable(): void {
    const { cursor } = this;
    // The page's own class for tables: a shadow at the edge behind which there is more.
    const region = cursor.open("div", "md-table wide");
    region.tabIndex = 0;
    setAttribute(region, "role", "group");
    setAttribute(region, "aria-label", this.request.options.tableLabel?.() ?? "Table");
    cursor.open("table");
  }

  private openTableBody(token: Token): void {
    const { tokens, resumed } = this.request;
    const isResumed = resumed !== null && tokens[0]?.type === "table_open" && tokens.indexOf(token) < tokens.findIndex(isTableEnd);
    const body = this.cursor.open("tbody");
    if (!isResumed) return;
    this.cursor.leave();
    this.cursor.enter(body, resumed.after);
  }

  private inline(tokens: readonly Token[]): void {
    for (const token of tokens) this.span(token);
  }

  private span(token: Token): void {
    const { cursor } = this;
    switch (token.type) {
      case "softbreak":
      case "hardbreak":
        cursor.open("br");
        cursor.close();
        return;
      case "code_inline":
        cursor.open("code");
        cursor.text(token.content);
        cursor.close();
        return;
      case "formula":
        writeFormula(cursor, token, this.request.options);
        return;
      case "open_formula":
        writeOpenFormula(cursor, token.content);
        return;
      case "link_open":
        this.links += 1;
        this.openLink(attribute(token, "href"), attribute(token, "title"));
        return;
      case "link_close":
        this.links -= 1;
        cursor.close();
        return;
      case "image":
        this.image(token);
        return;
      default:
        if (token.nesting > 0) cursor.open(token.tag);
        else if (token.nesting < 0) cursor.close();
        else cursor.text(token.content);
    }
  }

  private openLink(href: string | null, title: string | null): void {
    const link = this.cursor.open("a");
    setAttribute(link, "href", href);
    setAttribute(link, "title", title);
    setAttribute(link, "target", "_blank");
    setAttribute(link, "rel", "noopener noreferrer");
  }

  /** Never fetched: an address in an answer could carry away what was said before it. */
  private image(token: Token): void {
    const source = attribute(token, "src");
    const label = token.content === "" ? (source ?? "") : token.content;
    if (this.links > 0) {
      this.cursor.text(label);
      return;
    }
    this.openLink(source, attribute(token, "title"));
    this.cursor.text(label);
    this.cursor.close();
  }
}

export function codeBlockAt(cursor: DomCursor, info: string, options: MarkdownOptions): HTMLElement {
  return cursor.leaf(
    (node) => CodeBlock.of(node)?.info === info,
    () => new CodeBlock(cursor.document, info, options).element,
  );
}

function attribute(token: Token, name: string): string | null {
  const value = token.attrGet(name);
  return value === null ? null : String(value);
}

/** How wide a list's last number is; it is there once the list's items are. */
function noteDigits(list: HTMLElement | undefined): void {
  if (list?.localName !== "ol") return;
  const last = Number(list.getAttribute("start") ?? 1) + list.childElementCount - 1;
  const digits = String(last).length;
  setAttribute(list, "data-digits", digits > 1 ? String(digits) : null);
}

function isTableEnd(token: Token): boolean {
  return token.type === "table_close";
}

function alignment(token: Token): string {
  const style = attribute(token, "style") ?? "";
  if (style.endsWith("center")) return "md-center";
  return style.endsWith("right") ? "md-right" : "";
}

/**
 * The lists with a blank line between their items or between the blocks of one item, by index of the opening token.
 * It is found by neighbours alone: then a list that is read item by item comes out as one that is read at once.
 */
export function looseLists(tokens: readonly Token[], source: string): ReadonlySet<number> {
  const loose = new Set<number>();
  if (!tokens.some((token) => token.type === "list_item_open")) return loose;
  const lines = source.split("\n");
  const open: { index: number; type: string; children: number }[] = [];
  tokens.forEach((token, index) => {
    if (token.nesting < 0) open.pop();
    else if (token.map !== null && token.type !== "inline") {
      const parent = open.at(-1);
      if (parent !== undefined) {
        parent.children += 1;
        const isApart = parent.children > 1 && /^[\s>]*$/.test(lines[token.map[0] - 1] ?? "x");
        if (isApart && parent.type.endsWith("list_open")) loose.add(parent.index);
        else if (isApart && parent.type === "list_item_open") loose.add(open.at(-2)?.index ?? -1);
      }
    }
    if (token.nesting > 0) open.push({ index, type: token.type, children: 0 });
  });
  return loose;
}
