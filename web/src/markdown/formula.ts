// A formula on the page: its source until what draws it is here, and for good where it cannot be drawn.
import { part } from "../lib/part.ts";
import { type DomCursor, setAttribute } from "./cursor.ts";
import { isDisplay } from "./formula-rules.ts";
import type { MarkdownOptions } from "./options.ts";
import type { Token } from "./parser.ts";

type Drawing = typeof import("./formulas/drawing.ts");

const drawingPart = part(() => import("./formulas/drawing.ts"));
/** After this much drawing the page has its turn; and after so many, which have to be laid out too. */
const WORK_MS = 8;
const MOST = 24;
/** After so many it is asked anew which are in view: the reader may have gone elsewhere. */
const MOST_ASKED = 96;
/** A page that is never idle waits no longer than this for more of them. */
const IDLE_MS = 100;

interface Waiting {
  readonly tex: string;
  /** What is read must not move by what is drawn above it. */
  readonly hold: (() => void) | undefined;
}

let drawing: Drawing | null = null;
let loading: Promise<void> | null = null;
/** What was written before the drawing was here, or in a turn in which much was drawn already. */
const waiting = new Map<HTMLElement, Waiting>();
let working: Promise<void> | null = null;
/** Spent on drawing in this turn of the page, and drawn in it. */
let spent = 0;
let drawn = 0;

/** Fetched with the first formula; without it, and until it has come, there is the source. */
export function loadDrawing(): void {
  if (drawing === null) loading ??= load();
}

async function load(): Promise<void> {
  try {
    const fetched = await drawingPart();
    await fetched.fontCame();
    drawing = fetched;
    work(fetched);
  } catch {
    // Offline, or a newer page has been installed on the server: the next formula tries again, for all that are there.
    for (const element of waiting.keys()) if (!element.isConnected) waiting.delete(element);
  }
  loading = null;
}

/** Resolves when every formula is drawn, or it is certain that it will not be. */
export async function formulasDrawn(): Promise<void> {
  await loading;
  await working;
}

function work(drawing: Drawing): void {
  working ??= drawWaiting(drawing).finally(() => {
    working = null;
    if (waiting.size > 0) work(drawing);
  });
}

/** Those in view first, and as many at a time as nobody notices. */
async function drawWaiting(drawing: Drawing): Promise<void> {
  while (waiting.size > 0) {
    await turn();
    for (const element of nearest()) {
      if (isTurnOver()) await turn();
      const { tex, hold } = waiting.get(element) ?? {};
      if (tex === undefined) continue;
      if (drawn === 0) hold?.();
      waiting.delete(element);
      draw(drawing, element, tex);
    }
  }
}

function nearest(): HTMLElement[] {
  const distances = new Map(Array.from(waiting.keys(), (element) => [element, distanceOf(element)]));
  return [...distances.keys()].sort((one, other) => (distances.get(one) ?? 0) - (distances.get(other) ?? 0)).slice(0, MOST_ASKED);
}

/** How far it is from the window, in pixels; what the browser skips is not even asked for its place, which it would look for. */
function distanceOf(element: HTMLElement): number {
  if (element.checkVisibility?.({ contentVisibilityAuto: true }) === false) return Infinity;
  const { top, bottom } = element.getBoundingClientRect();
  return Math.max(0, -bottom, top - innerHeight);
}

function isTurnOver(): boolean {
  return spent >= WORK_MS || drawn >= MOST;
}

function turn(): Promise<unknown> {
  return new Promise((resolve) => {
    if (typeof requestIdleCallback === "function") requestIdleCallback(resolve, { timeout: IDLE_MS });
    else setTimeout(resolve);
  });
}

export function writeFormula(cursor: DomCursor, token: Token, options: MarkdownOptions): void {
  const element = cursor.leaf(
    (node) => node.localName === "span" && node.dataset["source"] === token.content,
    () => make(cursor.document, token, options),
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

function make(document: Document, token: Token, options: MarkdownOptions): HTMLElement {
  const element = document.createElement("span");
  element.className = isDisplay(token.markup) ? "md-formula md-display" : "md-formula";
  // For what is copied, which is made of clones.
  element.dataset["source"] = token.content;
  const source = document.createElement("code");
  source.className = "md-tex";
  source.textContent = token.content;
  element.append(source);
  if (drawing !== null && !isTurnOver()) draw(drawing, element, token.info);
  else {
    waiting.set(element, { tex: token.info, hold: options.holdPlace });
    if (drawing === null) loadDrawing();
    else work(drawing);
  }
  return element;
}

function draw({ mathml }: Drawing, element: HTMLElement, tex: string): void {
  if (drawn === 0) setTimeout(() => (spent = drawn = 0));
  const begun = performance.now();
  const math = mathml(tex, element.classList.contains("md-display"));
  if (math !== null) element.replaceChildren(math);
  spent += performance.now() - begun;
  drawn += 1;
}
