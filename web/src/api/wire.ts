/** What the server sends, decoded; the types of the whole page come from here. */
import * as v from "valibot";

const count = v.optional(v.number(), 0);

export const Usage = v.object({ input: count, output: count, cached: count, reasoning: count });

export const Failure = v.object({
  type: v.string(),
  message: v.string(),
  retry_after: v.nullish(v.number()),
});

export const Part = v.variant("type", [
  v.object({ type: v.literal("text"), text: v.string() }),
  v.object({ type: v.literal("reasoning"), text: v.string() }),
  v.object({ type: v.literal("tool_call"), id: v.string(), name: v.string(), arguments: v.string() }),
]);

export const Status = v.picklist(["complete", "streaming", "stopped", "interrupted", "failed"]);

export const Message = v.object({
  id: v.string(),
  conversation: v.string(),
  parent: v.nullable(v.string()),
  role: v.picklist(["system", "user", "assistant"]),
  parts: v.array(Part),
  status: Status,
  model: v.nullable(v.string()),
  finish: v.nullable(v.string()),
  usage: v.nullable(Usage),
  error: v.nullable(Failure),
  created: v.number(),
  position: v.number(),
  heartbeat: v.nullish(v.number()),
});

export const Conversation = v.object({
  id: v.string(),
  title: v.string(),
  title_source: v.picklist(["question", "model", "user"]),
  model: v.nullable(v.string()),
  leaf: v.nullable(v.string()),
  pinned: v.boolean(),
  archived: v.boolean(),
  created: v.number(),
  updated: v.number(),
});

export const ConversationPage = v.object({
  conversations: v.array(Conversation),
  after: v.nullable(v.string()),
});

export const Segment = v.object({ text: v.string(), match: v.optional(v.boolean(), false) });

export const SearchHit = v.object({
  conversation: Conversation,
  title: v.array(Segment),
  message: v.nullish(v.string()),
  snippet: v.optional(v.array(Segment), []),
});

export const SearchHits = v.object({ hits: v.array(SearchHit) });

export const OpenedConversation = v.object({ conversation: Conversation, messages: v.array(Message) });

export const Model = v.object({
  id: v.string(),
  name: v.string(),
  provider: v.string(),
  context_window: v.nullish(v.number()),
  state: v.optional(v.picklist(["ready", "loading", "unavailable"]), "ready"),
  detail: v.nullish(v.string()),
  trial: v.optional(v.boolean(), false),
});

/** Why a provider's models could not be listed. */
export const Problem = v.object({ provider: v.string(), type: v.string(), message: v.string() });

export const Models = v.object({
  models: v.array(Model),
  default: v.nullable(v.string()),
  problems: v.optional(v.array(Problem), []),
});

export const Me = v.object({
  user: v.object({
    id: v.string(),
    name: v.string(),
    email: v.nullish(v.string()),
    role: v.optional(v.string(), "member"),
  }),
  /** Whether people sign in here, and so can sign out. */
  sign_in: v.optional(v.boolean(), false),
  home: v.string(),
  version: v.string(),
  default_model: v.nullable(v.string()),
  locale: v.string(),
  limits: v.object({
    body_bytes: v.number(),
    message_characters: v.number(),
    title_characters: v.number(),
  }),
  embedded: v.boolean(),
});

export const SignedOut = v.object({ location: v.nullable(v.string()) });

export const ErrorBody = v.object({ error: Failure });

/** The data of `done` and `error` events: how a reply ended. */
export const ReplyEnd = v.object({
  status: Status,
  finish: v.nullish(v.string()),
  error: v.nullish(Failure),
});

export const TitleMade = v.object({ title: v.string() });

export const ToolDelta = v.object({ id: v.string(), name: v.string(), arguments: v.string() });

export type Usage = v.InferOutput<typeof Usage>;
export type Failure = v.InferOutput<typeof Failure>;
export type Part = v.InferOutput<typeof Part>;
export type Status = v.InferOutput<typeof Status>;
export type Message = v.InferOutput<typeof Message>;
export type Conversation = v.InferOutput<typeof Conversation>;
export type ConversationPage = v.InferOutput<typeof ConversationPage>;
export type Segment = v.InferOutput<typeof Segment>;
export type SearchHit = v.InferOutput<typeof SearchHit>;
export type OpenedConversation = v.InferOutput<typeof OpenedConversation>;
export type Model = v.InferOutput<typeof Model>;
export type Problem = v.InferOutput<typeof Problem>;
export type Models = v.InferOutput<typeof Models>;
export type Me = v.InferOutput<typeof Me>;
export type ReplyEnd = v.InferOutput<typeof ReplyEnd>;
export type ToolDelta = v.InferOutput<typeof ToolDelta>;
