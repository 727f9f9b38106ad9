/** The messages and the request of a turn, as they are made here before the server knows of them. Pure. */
import type { TurnBody } from "../api/client.ts";
import type { Conversation, Message, Part } from "../api/wire.ts";
import { textOf } from "./reply.ts";

const FIRST_TITLE_CHARACTERS = 60;
/** The first title of a question without a text. */
const ONLY_IMAGES = "Image";
/** A reply's sign of life may be 5 s old at its end, and its title comes some seconds after that. */
const TITLE_MAY_COME = 20_000;

export interface NewMessage {
  readonly id: string;
  readonly conversation: string;
  readonly parent: string | null;
  readonly created: number;
}

export function questionMessage(base: NewMessage, parts: readonly Part[]): Message {
  return { ...blank(base), role: "user", status: "complete", parts: [...parts] };
}

export function replyMessage(base: NewMessage, model: string | null): Message {
  return { ...blank(base), role: "assistant", status: "streaming", model };
}

function blank(base: NewMessage): Omit<Message, "role" | "status"> {
  return { ...base, parts: [], model: null, finish: null, usage: null, error: null, position: 0, heartbeat: null };
}

/** The messages that a turn not yet stored will have, out of its request. */
export function messagesOf(body: TurnBody, created: number): Message[] {
  const { conversation, reply, message } = body;
  const parent = message?.id ?? body.parent ?? null;
  const answer = replyMessage({ id: reply, conversation, parent, created: created + 1 }, body.model ?? null);
  if (!message) return [answer];
  return [questionMessage({ id: message.id, conversation, parent: message.parent, created }, message.parts), answer];
}

/** As the server names a conversation at first; see `title_from` in conversation/messages.py. */
export function titleFrom(question: string): string {
  const characters = [...question.split(/\s+/).filter(Boolean).join(" ")];
  if (characters.length <= FIRST_TITLE_CHARACTERS) return characters.join("");
  return `${characters.slice(0, FIRST_TITLE_CHARACTERS - 1).join("").trimEnd()}…`;
}

export function newConversation(body: TurnBody, created: number): Conversation {
  return {
    id: body.conversation,
    title: titleFrom(textOf(body.message?.parts ?? [])) || ONLY_IMAGES,
    title_source: "question",
    model: body.model ?? null,
    leaf: body.reply,
    pinned: false,
    archived: false,
    created,
    updated: created,
  };
}

/** The conversations that turns begin which the server has not taken. */
export function begunBy(turns: readonly { readonly body: TurnBody; readonly created: number; readonly begins: boolean }[]): Conversation[] {
  const first = turns.filter(({ begins }) => begins);
  return [...new Map(first.map(({ body, created }) => [body.conversation, newConversation(body, created)])).values()];
}

/** Whether a conversation's only reply has just ended, and the title that is made after it is not there yet. */
export function awaitsTitle(conversation: Conversation, messages: readonly Message[], now: number): boolean {
  const replies = messages.filter((message) => message.role === "assistant");
  const only = replies.length === 1 ? replies[0] : undefined;
  if (conversation.title_source !== "question" || only?.status !== "complete") return false;
  return now - (only.heartbeat ?? only.created) < TITLE_MAY_COME;
}

/**
 * What the server has, joined with what only this tab knows: turns not yet stored, and replies that grow here.
 * Messages that did not change stay the same objects, so that nothing is drawn again for them.
 */
export function mergeMessages(
  known: ReadonlyMap<string, Message>,
  fromServer: readonly Message[],
  growsHere: (id: string) => boolean,
  unsent: (id: string) => boolean,
): Map<string, Message> {
  const merged = new Map<string, Message>();
  for (const message of fromServer) {
    const here = known.get(message.id);
    merged.set(message.id, here && (growsHere(message.id) || isSame(here, message)) ? here : message);
  }
  for (const message of known.values()) {
    if (!merged.has(message.id) && unsent(message.id)) merged.set(message.id, message);
  }
  return merged;
}

function isSame(a: Message, b: Message): boolean {
  return a.status === b.status && a.position === b.position && a.parent === b.parent && a.created === b.created;
}
