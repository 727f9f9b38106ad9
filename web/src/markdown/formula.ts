// A formula on the page: its source until what draws it is here, and for good where it cannot be drawn.
import { type DomCursor, setAttribute } from "./cursor.ts";
import { isDisplay } from "./formula-rules.ts";
import type { MarkdownOptions } from "./options.ts";
import type { Token } from "./parser.ts";

type Drawing = typeof import("./formulas/drawing.ts");

let drawing: Drawing | null = null;
let loading: Promise<void> | null = null;
/** What was written before the drawing was here, with its TeX. */
const waiting = new Map<HTMLElement, string>();

/** Fetched with the first formula; without it, and until it has come, there is the source. */
export function loadDrawing(): void {
  if (drawing === null) loading ??= load();
}

async function load(): Promise<void> {
  try {
    drawing = await import("./formulas/drawing.ts");
    for (const [element, tex] of waiting) draw(drawing, element, tex);
    waiting.clear();
  } catch {
    // Offline, or a newer page has been installed on the server: the next formula tries again, for all that are there.
    for (const element of waiting.keys()) if (!element.isConnected) waiting.delete(element);
  }
  loading = null;
}

/** Resolves when every formula is drawn, or it is certain that it will not be. */
export async function formulasDrawn(): Promise<void> {
  await loading;
}

export function writeFormula(cursor: DomCursor, token: Token, options: MarkdownOptions): void {
  const element = cursor.leaf(
    (node) => node.localName === "span" && node.dataset["source"] === token.content,
    () => make(cursor.document, token),
  );
  if (!isDisplay(token.markup)) return;
  element.tabIndex = 0;
  setAttribute(element, "role", "group");
  setAttribute(element, "aria-label", options.formulaLabel?.() ?? "Formula");
}

/** A formula that is not closed yet. */
export function writeOpenFormula(cursor: DomCursor, source: string): void {
  loadDrawing();
  cursor.open("code", isDisplay(source.slice(0, 2)) ? "md-tex md-display" : "md-tex");
  cursor.text(source);
  cursor.close();
}

function make(document: Document, token: Token): HTMLElement {
  const element = document.createElement("span");
  element.className = isDisplay(token.markup) ? "md-formula md-display" : "md-formula";
  // For what is copied, which is made of clones.
  element.dataset["source"] = token.content;
  const source = document.createElement("code");
  source.className = "md-tex";
  source.textContent = token.content;
  element.append(source);
  if (drawing !== null) draw(drawing, element, token.info);
  else {
    waiting.set(element, token.info);
    loadDrawing();
  }
  return element;
}

function draw({ mathml }: Drawing, element: HTMLElement, tex: string): void {
  const drawn = mathml(tex, element.classList.contains("md-display"));
  if (drawn !== null) element.replaceChildren(drawn);
}
