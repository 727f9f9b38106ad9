/**
 * Turns that the server has not yet acknowledged. Kept in this browser until it has, so that a reload while offline
 * loses no question; the ids go with them, so that sending twice is harmless.
 */
import * as v from "valibot";
import type { TurnBody } from "../api/client.ts";
import { ApiFailure } from "../api/failure.ts";
import { Failure, Part } from "../api/wire.ts";
import { readOwn, saveOwn } from "../lib/saved.ts";

const Question = v.object({
  id: v.string(),
  parent: v.nullable(v.string()),
  parts: v.array(Part),
});

const Entry = v.object({
  conversation: v.string(),
  reply: v.string(),
  model: v.exactOptional(v.string()),
  message: v.exactOptional(Question),
  parent: v.exactOptional(v.string()),
  continue: v.exactOptional(v.literal(true)),
});

const Stored = v.array(
  v.object({ body: Entry, created: v.number(), begins: v.optional(v.boolean(), false), refused: v.nullable(Failure) }),
);

export interface Waiting {
  readonly body: TurnBody;
  readonly created: number;
  /** The server does not know the conversation yet. */
  readonly begins: boolean;
  /** Why the server would not take it; null while it still may. */
  readonly refused: Failure | null;
}

const KEY = "outbox";

export function waitingTurns(): Waiting[] {
  const saved = readOwn(KEY);
  if (saved === null) return [];
  try {
    return v.parse(Stored, JSON.parse(saved));
  } catch {
    return [];
  }
}

function store(waiting: readonly Waiting[]): void {
  saveOwn(KEY, waiting.length === 0 ? null : JSON.stringify(waiting));
}

export function keepTurn(body: TurnBody, created: number, begins = false): void {
  store([...waitingTurns().filter((other) => other.body.reply !== body.reply), { body, created, begins, refused: null }]);
}

export function dropTurn(reply: string): void {
  const waiting = waitingTurns();
  if (waiting.some((turn) => turn.body.reply === reply)) store(waiting.filter((turn) => turn.body.reply !== reply));
}

/** Take out the turns of a conversation that one of them begins; none where the server has it for sure. */
export function withdrawBegun(conversation: string): Waiting[] {
  const waiting = waitingTurns();
  const own = waiting.filter(({ body }) => body.conversation === conversation);
  if (!own.some(({ begins }) => begins)) return [];
  store(waiting.filter((turn) => !own.includes(turn)));
  return own;
}

export function putBack(turns: readonly Waiting[]): void {
  if (turns.length > 0) store([...turns, ...waitingTurns()]);
}

export function markRefused(reply: string, refused: Failure | null): void {
  store(waitingTurns().map((turn) => (turn.body.reply === reply ? { ...turn, refused } : turn)));
}

type Start = (body: TurnBody, signal: AbortSignal) => Promise<Response>;

/**
 * Send what waits, oldest first, but for turns that `elsewhere` says are being sent already. Returns the
 * conversations that got something. Stops at the first failure that says the server is not there.
 */
export async function sendWaiting(start: Start, elsewhere: (reply: string) => boolean): Promise<string[]> {
  const sent: string[] = [];
  for (const { body, refused } of waitingTurns()) {
    if (refused || elsewhere(body.reply)) continue;
    const abort = new AbortController();
    try {
      await start(body, abort.signal);
      dropTurn(body.reply);
      sent.push(body.conversation);
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      if (error.passes) break;
      markRefused(body.reply, error.failure);
    } finally {
      // The turn goes on without us; whoever opens its conversation follows it.
      abort.abort();
    }
  }
  return sent;
}
