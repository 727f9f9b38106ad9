/**
 * A reply that is being made, followed in this tab: its events folded, and its text handed on as it comes. The server
 * sends at most one batch in 16 ms, and the Markdown engine writes once a frame, so nothing is gathered here.
 */
import { followTurn, type TurnBody } from "../api/client.ts";
import { EventStream, type Connection, type ReplyEvent } from "../api/event-stream.ts";
import type { ApiFailure } from "../api/failure.ts";
import type { Failure, Message, Part, ReplyEnd, Usage } from "../api/wire.ts";
import { sendTurn } from "./images.svelte.ts";
import { GrowingReply } from "./reply.ts";

/** `sending`: not yet acknowledged. `refused`: the server will not take it. `ended`: all is in the message. */
export type Phase = "sending" | "waiting" | "streaming" | "refused" | "ended";

export interface LiveReplyHooks {
  /** The server has stored the turn. */
  onAccepted(): void;
  onRefused(failure: ApiFailure): void;
  onBegun(): void;
  onEnded(reply: LiveReply, end: ReplyEnd): void;
  onTitle(title: string, usage: Usage | null): void;
}

export class LiveReply {
  readonly id: string;
  /** Since when it is made, by this page's own clock: a server's may be an hour off. A question may have waited before it was sent. */
  since = $state(Date.now());
  phase = $state<Phase>("sending");
  lost = $state(false);
  refusal = $state.raw<Failure | null>(null);
  /** The kinds of the parts so far; it changes only when a part begins, never with each word. */
  kinds = $state.raw<readonly Part["type"][]>([]);
  readonly #reply: GrowingReply;
  readonly #hooks: LiveReplyHooks;
  readonly #body: TurnBody | null;
  readonly #created: number;
  readonly #views = new Set<() => void>();
  #stream: EventStream | null = null;
  #accepted: boolean;

  /** Follow `message` as far as it is; with `body`, first ask the server for it. */
  constructor(message: Message, body: TurnBody | null, hooks: LiveReplyHooks) {
    this.id = message.id;
    this.#reply = new GrowingReply(message.parts, message.position);
    this.#hooks = hooks;
    this.#body = body;
    this.#created = message.created;
    this.#accepted = body === null;
    this.kinds = message.parts.map((part) => part.type);
  }

  get position(): number {
    return this.#reply.position;
  }

  get usage(): GrowingReply["usage"] {
    return this.#reply.usage;
  }

  get parts(): readonly Part[] {
    return this.#reply.parts;
  }

  start(): void {
    this.#stream?.close();
    this.refusal = null;
    this.phase = !this.#accepted ? "sending" : this.kinds.length === 0 ? "waiting" : "streaming";
    this.#stream = new EventStream({
      after: this.#reply.position,
      open: (after, signal) => this.#open(after, signal),
      onEvents: (events) => this.#fold(events),
      onConnection: (connection) => this.#connected(connection),
      onFailure: (failure) => this.#refused(failure),
    });
  }

  /** A refused turn must not be sent by itself; it waits for the reader's word. */
  refuse(failure: Failure): void {
    this.refusal = failure;
    this.phase = "refused";
  }

  /** Stop following. The turn goes on. */
  close(): void {
    this.#stream?.close();
    this.#views.clear();
  }

  /** Be called when parts have grown. */
  onGrown(view: () => void): () => void {
    this.#views.add(view);
    return () => this.#views.delete(view);
  }

  frozen(): Part[] {
    return this.#reply.frozen();
  }

  async #open(after: number, signal: AbortSignal): Promise<Response> {
    if (this.#accepted || this.#body === null) {
      const events = await followTurn(this.id, after, signal);
      if (this.#body === null) this.since = begunAt(this.#created, events);
      return events;
    }
    const response = await sendTurn(this.#body, signal);
    this.#accepted = true;
    this.since = Date.now();
    this.phase = "waiting";
    this.#hooks.onAccepted();
    return response;
  }

  #connected(connection: Connection): void {
    this.lost = connection === "lost";
  }

  #refused(failure: ApiFailure): void {
    if (this.phase === "sending") this.refuse(failure.failure);
    this.#hooks.onRefused(failure);
  }

  #fold(events: readonly ReplyEvent[]): void {
    const began = this.#reply.apply(events);
    if (began) {
      this.kinds = this.#reply.parts.map((part) => part.type);
      if (this.phase === "waiting") {
        this.phase = "streaming";
        this.#hooks.onBegun();
      }
    }
    for (const view of this.#views) view();
    for (const event of events) {
      if (event.kind === "title") this.#hooks.onTitle(event.title, event.usage ?? null);
      else if (event.kind === "end") this.#end(event.end);
    }
  }

  #end(end: ReplyEnd): void {
    this.phase = "ended";
    this.#hooks.onEnded(this, end);
  }
}

/** Return when, by this page's own clock, what the server dates has begun: with each response it says what time it has. */
function begunAt(created: number, response: Response): number {
  const there = Date.parse(response.headers.get("date") ?? "");
  return Date.now() - (Number.isNaN(there) ? 0 : Math.max(0, there - created));
}
