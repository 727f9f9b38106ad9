/** Messages to try things on. */
import type { Message } from "../src/api/wire.ts";

export function message(id: string, parent: string | null, more: Partial<Message> = {}): Message {
  return {
    id,
    conversation: "c",
    parent,
    role: id.startsWith("q") ? "user" : "assistant",
    parts: [{ type: "text", text: id }],
    status: "complete",
    model: null,
    finish: null,
    usage: null,
    error: null,
    created: Number(id.slice(1)),
    position: 0,
    heartbeat: null,
    ...more,
  };
}

export const byId = (messages: readonly Message[]): Map<string, Message> =>
  new Map(messages.map((each) => [each.id, each]));
