// One fenced block on the page: its language, a copy button, and its text, which only ever grows while it streams.
import { part } from "../lib/part.ts";
import type { Highlighting } from "./highlight/highlighting.ts";
import type { MarkdownOptions } from "./options.ts";

const COPIED_FOR_MS = 2_000;

type Highlight = typeof import("./highlight/highlighting.ts");

const highlightPart = part(() => import("./highlight/highlighting.ts"));
let highlight: Highlight | null = null;

/** Fetched with the first code block; without it, and until it has come, code is plain text. */
async function loadHighlight(): Promise<Highlight | null> {
  try {
    highlight = await highlightPart();
  } catch {
    // Offline, or a newer page has been installed on the server: the next block tries again.
  }
  return highlight;
}

const blocks = new WeakMap<Element, CodeBlock>();

export class CodeBlock {
  readonly element: HTMLElement;
  readonly info: string;
  private readonly code: HTMLElement;
  private readonly plain: Text;
  private highlighting: Highlighting | null = null;
  private content = "";
  private isOpen = true;
  private isDestroyed = false;
  /** Resolves when the colours are there, or when it is certain that there will be none. */
  readonly coloured: Promise<void>;

  static of(element: Element): CodeBlock | undefined {
    return blocks.get(element);
  }

  constructor(document: Document, info: string, options: MarkdownOptions) {
    this.info = info;
    const language = /^[^\s{,:]*/.exec(info)?.[0] ?? "";
    const element = document.createElement("div");
    element.className = "md-code";
    const head = document.createElement("div");
    head.className = "md-code-head";
    const label = document.createElement("span");
    label.textContent = language;
    head.append(label, ...this.copyControls(document, options));
    const pre = document.createElement("pre");
    pre.tabIndex = 0;
    pre.setAttribute("role", "group");
    pre.setAttribute("aria-label", options.codeLabel?.(language) ?? (language === "" ? "Code" : `Code: ${language}`));
    this.code = document.createElement("code");
    this.code.dir = "ltr";
    this.code.translate = false;
    pre.append(this.code);
    element.append(head, pre);
    this.element = element;
    this.plain = document.createTextNode("");
    this.code.append(this.plain);
    this.coloured = this.colour(language);
    blocks.set(element, this);
  }

  /** The text as it is now; what was there before stays untouched where the new text only goes on from it. */
  update(content: string, isClosed: boolean): void {
    if (content !== this.content && !(this.isOpen && content.startsWith(this.content))) this.clear();
    if (content.length > this.content.length) this.append(content.slice(this.content.length));
    if (isClosed) this.close();
  }

  append(text: string): void {
    if (text === "") return;
    this.content += text;
    if (this.highlighting === null) this.plain.appendData(text);
    else this.highlighting.append(text);
  }

  /** No more text will come. */
  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.highlighting?.finish();
  }

  destroy(): void {
    this.isDestroyed = true;
    this.highlighting?.destroy();
  }

  private async colour(language: string): Promise<void> {
    if (language === "") return;
    const loaded = highlight ?? (await loadHighlight());
    if (loaded === null || this.isDestroyed) return;
    this.highlighting = loaded.Highlighting.begin(this.code, language, this.plain);
    if (!this.isOpen) this.highlighting?.finish();
    await this.highlighting?.done;
  }

  private clear(): void {
    this.content = "";
    this.isOpen = true;
    this.plain.data = "";
    this.code.replaceChildren(this.plain);
    this.highlighting?.restart();
  }

  private copyControls(document: Document, options: MarkdownOptions): HTMLElement[] {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "md-copy";
    button.textContent = options.copyLabel();
    const status = document.createElement("span");
    status.className = "md-sr";
    status.setAttribute("role", "status");
    let back: ReturnType<typeof setTimeout> | undefined;
    button.addEventListener("click", () => {
      void copy(this.content, this.code).then((copied) => {
        if (!copied) return;
        button.textContent = options.copiedLabel();
        status.textContent = options.copiedLabel();
        clearTimeout(back);
        back = setTimeout(() => {
          button.textContent = options.copyLabel();
          status.textContent = "";
        }, COPIED_FOR_MS);
      });
    });
    return [button, status];
  }
}

/** The clipboard where the page may use it; over plain HTTP, where it may not, the selection. */
async function copy(content: string, code: HTMLElement): Promise<boolean> {
  const { defaultView: window } = code.ownerDocument;
  try {
    await window?.navigator.clipboard.writeText(content);
    return true;
  } catch {
    const selection = window?.getSelection();
    selection?.selectAllChildren(code);
    // There is no other way without a secure context.
    return code.ownerDocument.execCommand("copy");
  }
}
