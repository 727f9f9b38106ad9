/**
 * The events of one reply, through lost connections: connect, read, and where the line breaks, connect again from the
 * last event seen. A stream without a sign of life for 25 s (the server sends one every 10 s) counts as broken.
 */
import * as v from "valibot";
import { ApiFailure, isAbort, networkFailure } from "./failure.ts";
import { SseParser, type SseEvent } from "./sse.ts";
import { ReplyEnd, TitleMade, ToolDelta, Usage } from "./wire.ts";

export type ReplyEvent =
  | { readonly kind: "text" | "reasoning"; readonly position: number; readonly text: string }
  | { readonly kind: "tool"; readonly position: number; readonly tool: ToolDelta }
  | { readonly kind: "usage"; readonly usage: Usage }
  | { readonly kind: "title"; readonly title: string; readonly usage?: Usage | null | undefined }
  | { readonly kind: "end"; readonly end: ReplyEnd };

export type Connection = "connecting" | "open" | "lost";

export interface EventStreamOptions {
  /** Open the stream from a position; the first call of a new turn posts it, later ones follow it. */
  open(after: number, signal: AbortSignal): Promise<Response>;
  /** The position to begin at. */
  after: number;
  onEvents(events: readonly ReplyEvent[]): void;
  onConnection(connection: Connection): void;
  /** Called once when a failure is not one that passes; the stream is over then. */
  onFailure(failure: ApiFailure): void;
  /** Called once when the server has ended the stream after the reply's end. */
  onClosed?(): void;
  readonly clock?: Clock;
}

/** Time and chance, so that tests need neither. */
export interface Clock {
  /** Wait, but no longer than until the network is said to be back. */
  wait(milliseconds: number, signal: AbortSignal): Promise<void>;
  random(): number;
  readonly silence: number;
}

/** Told on the window when the server can be reached again: nobody waits any longer then. */
export const REACHABLE = "daehwa-reachable";

const FIRST_WAIT = 400;
const LONGEST_WAIT = 15_000;

export const browserClock: Clock = {
  silence: 25_000,
  random: Math.random,
  wait: (milliseconds, signal) =>
    new Promise((resolve) => {
      const timer = setTimeout(done, milliseconds);
      function done(): void {
        clearTimeout(timer);
        globalThis.removeEventListener("online", done);
        globalThis.removeEventListener(REACHABLE, done);
        signal.removeEventListener("abort", done);
        resolve();
      }
      globalThis.addEventListener("online", done);
      globalThis.addEventListener(REACHABLE, done);
      signal.addEventListener("abort", done);
    }),
};

export class EventStream {
  readonly #options: EventStreamOptions;
  readonly #clock: Clock;
  readonly #abort = new AbortController();
  #after: number;
  #ended = false;

  constructor(options: EventStreamOptions) {
    this.#options = options;
    this.#clock = options.clock ?? browserClock;
    this.#after = options.after;
    void this.#run();
  }

  /** Stop reading. The turn itself goes on. */
  close(): void {
    this.#abort.abort();
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    for (let failures = 0; !signal.aborted && !this.#ended; ) {
      this.#options.onConnection(failures === 0 ? "connecting" : "lost");
      const before = this.#after;
      const failure = await this.#connect();
      if (signal.aborted || this.#ended) break;
      if (failure && !failure.passes) {
        this.#options.onFailure(failure);
        return;
      }
      failures = this.#after > before ? 1 : failures + 1;
      this.#options.onConnection("lost");
      await this.#clock.wait(this.#delay(failures, failure), signal);
    }
    if (!signal.aborted) this.#options.onClosed?.();
  }

  #delay(failures: number, failure: ApiFailure | null): number {
    const backoff = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** (failures - 1));
    return Math.max(backoff * (0.5 + this.#clock.random() / 2), (failure?.retryAfter ?? 0) * 1000);
  }

  /** One connection, read to its end. Returns why it did not come to be, or null. */
  async #connect(): Promise<ApiFailure | null> {
    const once = new AbortController();
    const stop = (): void => once.abort();
    this.#abort.signal.addEventListener("abort", stop);
    try {
      const response = await this.#options.open(this.#after, once.signal);
      this.#options.onConnection("open");
      await this.#read(response, once);
      return null;
    } catch (error) {
      if (error instanceof ApiFailure) return error;
      return isAbort(error) ? null : networkFailure(error);
    } finally {
      this.#abort.signal.removeEventListener("abort", stop);
    }
  }

  async #read(response: Response, once: AbortController): Promise<void> {
    if (!response.body) return;
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let events: ReplyEvent[] = [];
    const parser = new SseParser((event) => {
      const understood = this.#understand(event);
      if (understood) events.push(understood);
    });
    let heard = performance.now();
    const watch = setInterval(() => {
      if (performance.now() - heard > this.#clock.silence) once.abort();
    }, this.#clock.silence / 5);
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        heard = performance.now();
        parser.push(value);
        if (events.length > 0) this.#options.onEvents(events);
        events = [];
      }
    } finally {
      clearInterval(watch);
    }
  }

  #understand(event: SseEvent): ReplyEvent | null {
    const data: unknown = JSON.parse(event.data);
    switch (event.event) {
      case "delta":
      case "reasoning": {
        const position = this.#advance(event);
        if (position === null || typeof data !== "string") return null;
        return { kind: event.event === "delta" ? "text" : "reasoning", position, text: data };
      }
      case "tool": {
        const position = this.#advance(event);
        return position === null ? null : { kind: "tool", position, tool: v.parse(ToolDelta, data) };
      }
      case "usage":
        return { kind: "usage", usage: v.parse(Usage, data) };
      case "title":
        return { kind: "title", ...v.parse(TitleMade, data) };
      case "done":
      case "error":
        this.#ended = true;
        return { kind: "end", end: v.parse(ReplyEnd, data) };
      default:
        return null;
    }
  }

  /** Take note of an event's position; null where it was seen before. */
  #advance(event: SseEvent): number | null {
    const position = Number(event.id);
    if (!(position > this.#after)) return null;
    this.#after = position;
    return position;
  }
}
