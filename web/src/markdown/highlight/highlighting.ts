// Colours one code block line by line as its lines are completed: each line is tokenized once, with the state that the
// line before it left behind. Until its language has arrived, and in what is not complete yet, the text is plain.
import { StringStream } from "@codemirror/streamparser";

import { alreadyLoaded, known, load, type Tokenizer } from "./languages.ts";

/** No line of code that a person reads is longer; tokenizers may be slow on one that is. */
const LONGEST_LINE = 2_000;
const INDENT = 2;
const TAB = 4;
/** All blocks together work this long before the page has its turn. */
const SLICE_MS = 6;

let deadline: number | null = null;

function sharedDeadline(): number {
  if (deadline === null) {
    deadline = performance.now() + SLICE_MS;
    setTimeout(() => {
      deadline = null;
    });
  }
  return deadline;
}

/** From the tokenizers' words, of which there are many, to the few colours that `markdown.css` has. */
const COLOURS: readonly (readonly [RegExp, string])[] = [
  [/comment|quote/, "comment"],
  [/inserted|positive/, "inserted"],
  [/deleted|negative/, "deleted"],
  [/string|character|regexp|url/, "string"],
  [/number|atom|bool|unit|color|literal|null/i, "number"],
  [/keyword|modifier|self/, "keyword"],
  [/tag|header|heading/, "tag"],
  [/type|class|namespace/, "type"],
  [/builtin|standard|function/, "builtin"],
  [/def|macro/, "def"],
  [/property|attribute/, "property"],
  [/meta|annotation|processing/, "meta"],
];

const colourOf = new Map<string, string | null>();

function colour(style: string): string | null {
  let found = colourOf.get(style);
  if (found === undefined) {
    const name = COLOURS.find(([pattern]) => pattern.test(style))?.[1];
    found = name === undefined ? null : `md-t-${name}`;
    colourOf.set(style, found);
  }
  return found;
}

export class Highlighting {
  readonly done: Promise<void>;
  private resolve: () => void = () => undefined;
  private tokenizer: Tokenizer | null = null;
  private state: unknown;
  /** What is not coloured yet: complete lines that wait, and the line that still grows. */
  private waiting = "";
  private finished = false;
  private destroyed = false;
  private slice: ReturnType<typeof setTimeout> | undefined;

  private constructor(
    private readonly code: HTMLElement,
    name: string,
    private readonly plain: Text,
  ) {
    this.waiting = plain.data;
    this.done = new Promise((resolve) => {
      this.resolve = resolve;
    });
    const tokenizer = alreadyLoaded(name);
    if (tokenizer === undefined) void load(name).then((arrived) => this.begin(arrived));
    else this.begin(tokenizer);
  }

  /** `plain` holds all of the code's text so far. Null for a language that has no tokenizer here. */
  static begin(code: HTMLElement, language: string, plain: Text): Highlighting | null {
    const name = known(language);
    return name === null ? null : new Highlighting(code, name, plain);
  }

  append(text: string): void {
    this.waiting += text;
    this.plain.appendData(text);
    if (text.includes("\n")) this.work();
  }

  finish(): void {
    this.finished = true;
    this.work();
  }

  restart(): void {
    this.waiting = "";
    this.finished = false;
    this.state = this.initialState();
  }

  destroy(): void {
    this.destroyed = true;
    clearTimeout(this.slice);
    this.resolve();
  }

  private initialState(): unknown {
    return this.tokenizer?.startState?.(INDENT) ?? {};
  }

  private begin(tokenizer: Tokenizer | null): void {
    if (this.destroyed) return;
    this.tokenizer = tokenizer;
    this.state = this.initialState();
    if (tokenizer === null) this.resolve();
    else this.work();
  }

  private work(): void {
    if (this.tokenizer === null || this.destroyed || this.slice !== undefined) return;
    const until = sharedDeadline();
    const made = this.code.ownerDocument.createDocumentFragment();
    let from = 0;
    let isLate = false;
    while (from < this.waiting.length) {
      const newline = this.waiting.indexOf("\n", from);
      if (newline < 0 && !this.finished) break;
      const end = newline < 0 ? this.waiting.length : newline;
      this.line(this.tokenizer, this.waiting.slice(from, end), made);
      if (newline >= 0) addText(made, "\n");
      from = newline < 0 ? end : newline + 1;
      isLate = performance.now() > until;
      if (isLate) break;
    }
    if (from > 0) {
      this.waiting = this.waiting.slice(from);
      this.plain.before(made);
      this.plain.data = this.waiting;
    }
    if (isLate && this.waiting !== "") {
      this.slice = setTimeout(() => {
        this.slice = undefined;
        this.work();
      });
    } else if (this.finished) this.resolve();
  }

  private line(tokenizer: Tokenizer, text: string, into: DocumentFragment): void {
    if (text === "") {
      tokenizer.blankLine?.(this.state, INDENT);
      return;
    }
    if (text.length > LONGEST_LINE) {
      addText(into, text);
      return;
    }
    const stream = new StringStream(text, TAB, INDENT);
    let isStuck = 0;
    while (!stream.eol()) {
      const style = tokenizer.token(stream, this.state);
      // A tokenizer may change its state without reading; one that goes on so would never end.
      if (stream.pos === stream.start && (isStuck += 1) > 10) stream.next();
      if (stream.pos === stream.start) continue;
      isStuck = 0;
      add(into, stream.current(), style);
      stream.start = stream.pos;
    }
  }
}

function addText(into: DocumentFragment, text: string): void {
  const last = into.lastChild;
  if (last !== null && last.nodeType === 3) (last as Text).appendData(text);
  else into.append(text);
}

function add(into: DocumentFragment, text: string, style: string | null): void {
  const className = style === null || text.trim() === "" ? null : colour(style);
  if (className === null) {
    addText(into, text);
    return;
  }
  const last = into.lastElementChild;
  if (last !== null && last === into.lastChild && last.className === className) last.append(text);
  else {
    const span = (into.ownerDocument ?? document).createElement("span");
    span.className = className;
    span.textContent = text;
    into.append(span);
  }
}
