/** Plain text until the Markdown engine is there. */
export interface MarkdownStream {
  append(text: string): void;
  finish(): Promise<void>;
  destroy(): void;
}
interface Options {
  copyLabel(): string;
  copiedLabel(): string;
}
export function streamMarkdown(into: HTMLElement, _options: Options): MarkdownStream {
  into.style.whiteSpace = "pre-wrap";
  return { append: (text) => into.append(text), finish: () => Promise.resolve(), destroy: () => undefined };
}
export function renderMarkdown(into: HTMLElement, text: string, _options: Options): Promise<void> {
  into.style.whiteSpace = "pre-wrap";
  into.textContent = text;
  return Promise.resolve();
}
