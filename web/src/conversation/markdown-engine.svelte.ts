/** The Markdown engine, fetched when the first text may soon need it, not with the page. */
import { part } from "../lib/part.ts";

type Engine = typeof import("../markdown/index.ts");

const fetched = part(() => import("../markdown/index.ts"));

class MarkdownEngine {
  /** Null until it is here; plain text is shown meanwhile. */
  engine = $state.raw<Engine | null>(null);
  #asked: Promise<void> | null = null;
  readonly #drawing = new Set<Promise<void>>();

  /** Resolves when it is here, or known not to come. */
  load(): Promise<void> {
    this.#asked ??= fetched().then(
      (engine) => void (this.engine = engine),
      // Offline, or the server was upgraded: plain text it is, until the next text asks again.
      () => void (this.#asked = null),
    );
    return this.#asked;
  }

  /** Note that a text is being drawn. */
  draws(drawing: Promise<void>): void {
    this.#drawing.add(drawing);
    void drawing.finally(() => this.#drawing.delete(drawing));
  }

  /** Resolves when nothing is being drawn any more. */
  async drawn(): Promise<void> {
    while (this.#drawing.size > 0) await Promise.all(this.#drawing);
  }
}

export const markdown = new MarkdownEngine();
