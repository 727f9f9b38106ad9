/**
 * The images that the questions of a conversation show, oldest first, whichever product it is of: named by ChatGPT, whose
 * bytes lie beside the conversations in the ZIP; or in their place in it, as an address `data:…`. Pure.
 */
import { isObject, list, type Value } from "./values.ts";

interface Named {
  /** The message that shows it. */
  readonly question: object;
  readonly name: string;
}

interface Inline {
  readonly question: object;
  readonly address: string;
  /** Put a smaller one in its place. */
  readonly put: (address: string) => void;
}

export type Shown = Named | Inline;

/** In place of an image that is not sent, so that the server counts it: no base64 follows. */
export const leftOut = (number: number): string => `data:image/x,${String(number)}`;
export const isInline = (address: unknown): address is string => typeof address === "string" && address.startsWith("data:image/");

/** The images of a conversation's questions. Those in its messages are taken out of them, of answers too. */
export function shownIn(conversation: unknown): Shown[] {
  if (!isObject(conversation)) return [];
  if (isObject(conversation["mapping"])) return ofChatGpt(conversation["mapping"]);
  if (Array.isArray(conversation["chat_messages"])) return [];
  if (isObject(conversation["chat"])) return ofOpenWebUi(conversation["chat"]);
  if (isObject(conversation["history"])) return ofOpenWebUi(conversation);
  return Array.isArray(conversation["messages"]) && conversation["conversationId"] !== undefined ? ofLibreChat(conversation["messages"]) : [];
}

function sorted(messages: readonly Value[], timeOf: (message: Value) => unknown): Value[] {
  let last = -Infinity;
  const timed = messages.map((message) => {
    const time = timeOf(message);
    if (typeof time === "number" && Number.isFinite(time)) last = time; // without a time it is as old as the one before
    return { message, time: last };
  });
  return timed.sort((a, b) => (a.time === b.time ? 0 : a.time - b.time)).map(({ message }) => message);
}

// ---------------------------------------------------------------- ChatGPT

const INSTRUCTIONS = new Set(["user_editable_context", "model_editable_context"]);

function ofChatGpt(mapping: Value): Shown[] {
  const messages = Object.values(mapping).flatMap((node) => (isObject(node) && isObject(node["message"]) ? [node["message"]] : []));
  return sorted(messages.filter(isQuestion), (message) => message["create_time"]).flatMap((question) => {
    const content = question["content"] as Value;
    return list(content["parts"]).flatMap((part) => {
      if (!isObject(part) || part["content_type"] !== "image_asset_pointer" || typeof part["asset_pointer"] !== "string") return [];
      const pointer = part["asset_pointer"]; // file-service://file-AbC, sediment://file_0000abc#page_1
      return [{ question, name: pointer.slice(pointer.lastIndexOf("/") + 1).split("#")[0] ?? "" }];
    });
  });
}

function isQuestion(message: Value): boolean {
  const { author, content, metadata } = message;
  if (!isObject(author) || author["role"] !== "user" || !isObject(content)) return false;
  const isHidden = isObject(metadata) && metadata["is_visually_hidden_from_conversation"] === true;
  return !isHidden && !INSTRUCTIONS.has(String(content["content_type"]));
}

// ---------------------------------------------------------------- Open WebUI

function ofOpenWebUi(chat: Value): Shown[] {
  const history = isObject(chat["history"]) ? chat["history"] : {};
  const nodes = Object.values(isObject(history["messages"]) ? history["messages"] : {});
  const messages = (nodes.length > 0 ? nodes : list(chat["messages"])).filter(isObject);
  return sorted(messages, (message) => message["timestamp"]).flatMap((message) => {
    const places = [...placesIn(message["content"]), ...addressesAt(message["files"], "url")];
    return takenOut(message, places, message["role"] === "user");
  });
}

// ---------------------------------------------------------------- LibreChat

function ofLibreChat(messages: readonly unknown[]): Shown[] {
  const timeOf = ({ createdAt }: Value): unknown => (typeof createdAt === "string" ? Date.parse(createdAt) : createdAt);
  return sorted(messages.filter(isObject), timeOf).flatMap((message) => {
    const { sender, files, attachments } = message;
    const isUser = message["isCreatedByUser"] === true || (typeof sender === "string" && sender.toLowerCase() === "user");
    const places = [...placesIn(message["content"]), ...addressesAt(files, "filepath"), ...addressesAt(attachments, "filepath")];
    return takenOut(message, places, isUser);
  });
}

// ---------------------------------------------------------------- in their place

/** A member of an object that holds an address. */
interface Place {
  readonly holder: Value;
  readonly member: string;
}

const addressesAt = (items: unknown, member: string): Place[] =>
  list(items).flatMap((holder) => (isObject(holder) && isInline(holder[member]) ? [{ holder, member }] : []));

/** Where a message's content has images, as OpenAI's dialect writes them. */
function placesIn(content: unknown): Place[] {
  return list(content).flatMap((item) => {
    if (!isObject(item)) return [];
    const within = addressesAt([item["image_url"]], "url");
    return within.length > 0 ? within : [...addressesAt([item], "image_url"), ...addressesAt([item], "url")].slice(0, 1);
  });
}

function takenOut(question: object, places: readonly Place[], isUser: boolean): Shown[] {
  const seen = new Map<string, string>();
  return places.flatMap(({ holder, member }) => {
    const address = holder[member] as string;
    // What was the same stays the same: LibreChat names some files twice.
    const note = seen.get(address) ?? leftOut(seen.size);
    seen.set(address, note);
    holder[member] = note;
    return isUser ? [{ question, address, put: (small) => void (holder[member] = small) }] : [];
  });
}
