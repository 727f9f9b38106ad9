/** Server-sent events out of chunks of text, cut anywhere. */

export interface SseEvent {
  readonly id: string | null;
  readonly event: string;
  readonly data: string;
}

/** Feed it decoded text; it calls back once for each whole event. Comments (heartbeats) pass silently. */
export class SseParser {
  readonly #onEvent: (event: SseEvent) => void;
  #rest = "";
  #id: string | null = null;
  #event = "";
  #data: string[] = [];

  constructor(onEvent: (event: SseEvent) => void) {
    this.#onEvent = onEvent;
  }

  push(text: string): void {
    const buffer = this.#rest + text;
    let start = 0;
    for (;;) {
      const end = lineEnd(buffer, start);
      if (end < 0) break;
      this.#line(buffer.slice(start, end));
      start = buffer[end] === "\r" && buffer[end + 1] === "\n" ? end + 2 : end + 1;
    }
    this.#rest = buffer.slice(start);
  }

  #line(line: string): void {
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    if (colon === 0) return;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (field === "data") this.#data.push(value);
    else if (field === "event") this.#event = value;
    else if (field === "id") this.#id = value;
  }

  #dispatch(): void {
    if (this.#data.length > 0) {
      this.#onEvent({ id: this.#id, event: this.#event || "message", data: this.#data.join("\n") });
    }
    this.#event = "";
    this.#data = [];
  }
}

/** The index of the next line end, or -1. A CR at the very end waits, since its LF may still come. */
function lineEnd(buffer: string, from: number): number {
  const lf = buffer.indexOf("\n", from);
  const cr = buffer.indexOf("\r", from);
  if (cr < 0) return lf;
  if (lf >= 0 && lf < cr) return lf;
  return cr === buffer.length - 1 ? -1 : cr;
}
