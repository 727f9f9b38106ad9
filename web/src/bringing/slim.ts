/**
 * A conversation without what the server makes nothing of: the pages that a search found, pictures within the text, what a
 * product keeps for itself. A fifth of an export is left of it, and long conversations fit into one request. Images that
 * stand where a question may show them stay, for `shown.ts` to take them out. Pure.
 */
import { isInline } from "./shown.ts";
import { isObject, list, type Value } from "./values.ts";

/** In place of a text of which only counts that it was there. */
const SOMETHING = "…";

function only(value: unknown, ...names: string[]): unknown {
  if (!isObject(value)) return value;
  return Object.fromEntries(names.filter((name) => value[name] !== undefined).map((name) => [name, value[name]]));
}

const each = (value: unknown, ...names: string[]): unknown => (Array.isArray(value) ? value.map((item) => only(item, ...names)) : value);

export function slimmed(value: unknown): unknown {
  if (!isObject(value)) return value;
  if (isObject(value["mapping"])) return slimChatGpt(value, value["mapping"]);
  if (Array.isArray(value["chat_messages"])) return { ...value, chat_messages: value["chat_messages"].map(slimClaude) };
  if (isObject(value["chat"])) return { ...value, chat: slimOpenWebUi(value["chat"]) };
  if (isObject(value["history"])) return slimOpenWebUi(value);
  if (Array.isArray(value["messagesTree"])) return slimLibreChat(value, value["messagesTree"]);
  return value;
}

// ---------------------------------------------------------------- ChatGPT

const OF_METADATA = ["is_visually_hidden_from_conversation", "model_slug", "resolved_model_slug", "default_model_slug", "finish_details", "parent_id"];
const SHOWN_RESULTS = new Set(["execution_output", "tether_quote", "multimodal_text", "system_error"]);

function slimChatGpt(value: Value, mapping: Value): Value {
  return { ...value, mapping: Object.fromEntries(Object.entries(mapping).map(([name, node]) => [name, slimNode(node)])) };
}

function slimNode(node: unknown): unknown {
  if (!isObject(node)) return node;
  const kept = only(node, "id", "parent", "children") as Value;
  const message = node["message"];
  if (!isObject(message)) return { ...kept, message };
  const metadata = message["metadata"];
  return {
    ...kept,
    message: {
      ...(only(message, "id", "create_time", "status", "recipient") as Value),
      author: only(message["author"], "role"),
      content: slimContent(message),
      metadata: isObject(metadata)
        ? {
            ...(only(metadata, ...OF_METADATA) as Value),
            attachments: each(metadata["attachments"], "id", "name"),
            citations: list(metadata["citations"]).map(slimCitation),
            content_references: list(metadata["content_references"]).map(slimReference),
          }
        : metadata,
    },
  };
}

function slimContent(message: Value): unknown {
  const content = message["content"];
  const author = message["author"];
  const isResult = isObject(author) && author["role"] === "tool";
  if (!isObject(content) || !isResult || SHOWN_RESULTS.has(String(content["content_type"]))) return content;
  const hasText = list(content["parts"]).some(Boolean) || Boolean(content["text"]) || Boolean(content["result"]);
  return { content_type: content["content_type"], parts: hasText ? [SOMETHING] : [] };
}

const slimCitation = (citation: unknown): unknown =>
  isObject(citation) ? { ...(only(citation, "start_ix", "end_ix") as Value), metadata: only(citation["metadata"], "title", "url") } : citation;

const slimReference = (reference: unknown): unknown =>
  isObject(reference)
    ? { ...(only(reference, "matched_text", "alt", "url") as Value), items: each(reference["items"], "title", "url", "attribution") }
    : reference;

// ---------------------------------------------------------------- Claude

function slimClaude(message: unknown): unknown {
  if (!isObject(message)) return message;
  const files = (name: string): Value => (message[name] === undefined ? {} : { [name]: each(message[name], "file_name", "file_uuid") });
  return { ...message, ...files("files"), ...files("files_v2"), content: Array.isArray(message["content"]) ? message["content"].map(slimBlock) : message["content"] };
}

const slimBlock = (block: unknown): unknown =>
  isObject(block) && block["type"] === "tool_result" ? { type: "tool_result" } : isObject(block) && block["source"] !== undefined ? { ...block, source: null } : block;

// ---------------------------------------------------------------- Open WebUI

const OF_MESSAGE = ["id", "parentId", "childrenIds", "role", "content", "model", "modelName", "timestamp", "done", "error", "output"];

function slimOpenWebUi(chat: Value): Value {
  const history = chat["history"];
  if (!isObject(history) || !isObject(history["messages"]) || Object.keys(history["messages"]).length === 0) {
    return Array.isArray(chat["messages"]) ? { ...chat, messages: chat["messages"].map(slimMessage) } : chat;
  }
  const messages = Object.fromEntries(Object.entries(history["messages"]).map(([name, message]) => [name, slimMessage(message)]));
  return { ...(only(chat, "id", "title", "timestamp", "params", "system") as Value), history: { ...history, messages } };
}

function slimMessage(message: unknown): unknown {
  if (!isObject(message)) return message;
  const files = list(message["files"]).map((file) =>
    isObject(file) ? { ...(only(file, "type", "name") as Value), ...images(file), file: only(file["file"], "filename") } : file,
  );
  const content = Array.isArray(message["content"]) ? message["content"].map(slimItem) : message["content"];
  const sources = list(message["sources"]).map((source) => (isObject(source) ? { source: only(source["source"], "name", "url") } : source));
  return { ...(only(message, ...OF_MESSAGE) as Value), content, files, sources };
}

const slimItem = (item: unknown): unknown => (isObject(item) ? { ...(only(item, "type", "text") as Value), ...images(item) } : item);

/** The images that are in an object themselves: where others lie is nothing to the server. */
function images(value: Value): Value {
  const { url, image_url: shown } = value;
  const within = isObject(shown) && isInline(shown["url"]) ? { image_url: { url: shown["url"] } } : {};
  return { ...(isInline(url) && { url }), ...(isInline(shown) && { image_url: shown }), ...within };
}

// ---------------------------------------------------------------- LibreChat

/** What stands within its parent stands beside it instead: the server reads no brackets that are a thousand deep. */
function slimLibreChat(value: Value, tree: unknown[]): Value {
  const messages: unknown[] = [];
  const waiting: [unknown, string | null][] = tree.map((message): [unknown, null] => [message, null]).reverse();
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const [message, parent] = next;
    if (!isObject(message)) {
      messages.push(message);
      continue;
    }
    const { children, ...own } = message;
    messages.push(parent === null ? own : { ...own, parentMessageId: parent });
    const name = typeof own["messageId"] === "string" ? own["messageId"] : null;
    for (const child of list(children).reverse()) waiting.push([child, name]);
  }
  const { messagesTree: _, ...others } = value;
  return { ...others, messages: [...messages, ...list(value["messages"])] };
}
