/** The Markdown engine, fetched when the first text may soon need it, not with the page. */
type Engine = typeof import("../markdown/index.ts");

class MarkdownEngine {
  /** Null until it is here; plain text is shown meanwhile. */
  engine = $state.raw<Engine | null>(null);
  #asked = false;

  load(): void {
    if (this.#asked) return;
    this.#asked = true;
    import("../markdown/index.ts").then(
      (engine) => (this.engine = engine),
      // Offline, or the server was upgraded: plain text it is, until the next text asks again.
      () => (this.#asked = false),
    );
  }
}

export const markdown = new MarkdownEngine();
