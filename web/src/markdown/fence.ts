// A fenced block that still grows: its lines go straight to the page, past the parser.
import type { CodeBlock } from "./code-block.ts";

const OPENING = /^(?:[ \t]*\n)*(`{3,}(?=[^`\n]*\n)|~{3,})([^\n]*)\n/;

export interface Opening {
  readonly marks: string;
  readonly info: string;
  readonly length: number;
}

/** The complete opening line of a fence at the beginning of these lines. An indented fence is left to the parser. */
export function fenceOpening(source: string): Opening | null {
  const found = OPENING.exec(source);
  return found === null ? null : { marks: found[1] ?? "", info: (found[2] ?? "").trim(), length: found[0].length };
}

export class GrowingFence {
  private readonly closing: RegExp;
  private readonly maybeClosing: RegExp;
  private line = "";
  private shown = 0;
  private isFirstLine = true;

  constructor(
    readonly block: CodeBlock,
    marks: string,
  ) {
    const mark = marks.charAt(0);
    this.closing = new RegExp(`^ {0,3}${mark}{${String(marks.length)},}[ \\t]*$`);
    this.maybeClosing = new RegExp(`^ {0,3}${mark}*[ \\t]*$`);
  }

  /** Takes what belongs to the fence; gives back what comes after its closing line, or null while it is open. */
  feed(text: string): string | null {
    let grown = "";
    let from = 0;
    for (;;) {
      const newline = text.indexOf("\n", from);
      this.line += newline < 0 ? text.slice(from) : text.slice(from, newline);
      if (newline < 0) break;
      if (this.closing.test(this.line)) {
        this.block.append(grown);
        this.block.close();
        return text.slice(newline + 1);
      }
      grown += this.unshown();
      this.line = "";
      this.shown = 0;
      this.isFirstLine = false;
      from = newline + 1;
    }
    if (!this.maybeClosing.test(this.line)) grown += this.unshown();
    this.block.append(grown);
    return null;
  }

  /** The text ended inside of the fence, or with its closing line. A last line of blanks is none, as to the parser. */
  finish(): void {
    if (/[^ \t]/.test(this.line) && !this.closing.test(this.line)) this.block.append(this.unshown());
    this.block.close();
  }

  /** What is new of the line at hand, led by the line break before it. */
  private unshown(): string {
    const lead = this.shown === 0 && !this.isFirstLine ? "\n" : "";
    const text = this.line.slice(this.shown > 0 ? this.shown - 1 : 0);
    this.shown = this.line.length + 1;
    return lead + text;
  }
}
