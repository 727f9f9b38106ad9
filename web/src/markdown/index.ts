// Streaming Markdown: the same engine writes a message while it grows and one that is complete.
import "./markdown.css";

import type { MarkdownOptions } from "./options.ts";
import { Stream } from "./stream.ts";

export type { MarkdownOptions } from "./options.ts";

export interface MarkdownStream {
  append(text: string): void;
  /** Resolves when the whole text stands on the page, its code coloured. */
  finish(): Promise<void>;
  destroy(): void;
}

/** Grows `into`, which belongs to the stream alone from here on, with every piece of text appended. */
export function streamMarkdown(into: HTMLElement, options: MarkdownOptions): MarkdownStream {
  into.replaceChildren();
  return new Stream(into, options);
}

/**
 * Writes a complete text, unless it is called off meanwhile. A short one stands there when this returns; the promise waits
 * for the rest and for colours.
 */
export async function renderMarkdown(into: HTMLElement, text: string, options: MarkdownOptions, until?: AbortSignal): Promise<void> {
  const stream = streamMarkdown(into, options);
  until?.addEventListener("abort", () => stream.destroy());
  stream.append(text);
  await stream.finish();
}
