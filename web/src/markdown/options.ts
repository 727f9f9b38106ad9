// What the page tells the Markdown of itself; labels are functions, so that a change of language reaches what is shown next.

export interface MarkdownOptions {
  copyLabel(): string;
  copiedLabel(): string;
  /** Names the scrollable box of a code block for those who hear the page. */
  codeLabel?(language: string): string;
  /** Names the scrollable box of a table. */
  tableLabel?(): string;
  /** Names the scrollable box of a formula on a line of its own. */
  formulaLabel?(): string;
  /** Is called before something that stands there already becomes higher: what is read now must not move by it. */
  holdPlace?(): void;
}
