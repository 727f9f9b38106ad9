/** What the server sends, decoded; the types of the whole page come from here. */
import * as v from "valibot";

const count = v.optional(v.number(), 0);

/** `cost` is in micro-dollars, null where no price is known; `estimated` where the upstream counted nothing. */
export const Usage = v.object({
  input: count,
  output: count,
  cached: count,
  reasoning: count,
  cost: v.optional(v.nullable(v.number()), null),
  estimated: v.optional(v.boolean(), false),
});

export const BudgetKind = v.picklist(["day", "month", "total"]);

/** Which budget had no room: `limit` in micro-dollars, `renews` in ms since 1970, null where it never does. */
export const NamedBudget = v.object({
  scope: v.string(),
  kind: BudgetKind,
  limit: v.number(),
  renews: v.nullable(v.number()),
  /** What a group is called that was made on the page; its scope has its id. */
  name: v.nullish(v.string()),
});

export const Failure = v.object({
  type: v.string(),
  message: v.string(),
  /** Which part of what was sent is wrong, where one is. */
  param: v.nullish(v.string()),
  retry_after: v.nullish(v.number()),
  budget: v.nullish(NamedBudget),
});

/** An image that a question shows, by its id within the conversation; its size in pixels, and in bytes where it is known. */
export const ImagePart = v.object({
  type: v.literal("image"),
  image: v.string(),
  width: v.number(),
  height: v.number(),
  size: v.optional(v.number()),
});

export const Part = v.variant("type", [
  v.object({ type: v.literal("text"), text: v.string() }),
  ImagePart,
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

/** What replies took; see `UsageTotal` in conversation/stretch.py. */
export const UsageTotal = v.object({
  calls: v.number(),
  input: v.number(),
  cached: v.number(),
  output: v.number(),
  reasoning: v.number(),
  cost: v.number(),
  unpriced: v.number(),
  estimated: v.number(),
});

export const OpenedConversation = v.object({
  conversation: Conversation,
  messages: v.array(Message),
  /** What the title's own call took. */
  title_usage: v.nullish(Usage),
  /** Whether these are all messages. */
  whole: v.optional(v.boolean(), true),
  /** What all replies took, where it was asked. */
  total: v.nullish(UsageTotal),
});

export const Model = v.object({
  id: v.string(),
  name: v.string(),
  provider: v.string(),
  context_window: v.nullish(v.number()),
  state: v.optional(v.picklist(["ready", "loading", "unavailable"]), "ready"),
  detail: v.nullish(v.string()),
  trial: v.optional(v.boolean(), false),
  /** What it does; the page asks those of the kinds "chat" and "completion", which goes on with a text. */
  kind: v.optional(v.string(), "chat"),
  sees_images: v.optional(v.boolean(), true),
});

/** Micro-dollars per million tokens. */
export const Price = v.object({
  input: v.number(),
  cached: v.nullish(v.number()),
  output: v.nullish(v.number()),
});

/** Why a provider's models could not be listed. */
export const Problem = v.object({ provider: v.string(), type: v.string(), message: v.string() });

/** A budget as it stands. */
export const Budget = v.object({ ...NamedBudget.entries, period: v.string(), spent: v.number() });

export const Budgets = v.object({ budgets: v.array(Budget) });

export const Models = v.object({
  models: v.array(Model),
  default: v.nullable(v.string()),
  problems: v.optional(v.array(Problem), []),
  /** By the model's id; what is missing has no known price. */
  prices: v.optional(v.record(v.string(), Price), {}),
  budgets: v.optional(v.array(Budget), []),
});

/** Plain text; where one language is empty, the other is shown. `until`: ms since 1970. */
export const Announcement = v.object({ en: v.string(), ko: v.string(), until: v.nullable(v.number()) });

export const Me = v.object({
  user: v.object({
    id: v.string(),
    name: v.string(),
    email: v.nullish(v.string()),
    login: v.nullish(v.string()),
    role: v.optional(v.string(), "member"),
  }),
  /** Whether people sign in here, and so can sign out. */
  sign_in: v.optional(v.boolean(), false),
  /** Whether the screens of admins are for them, and whether admins may read what everybody writes. */
  may_administer: v.optional(v.boolean(), false),
  admins_may_read: v.optional(v.boolean(), false),
  home: v.string(),
  version: v.string(),
  default_model: v.nullable(v.string()),
  locale: v.string(),
  limits: v.object({
    body_bytes: v.number(),
    message_characters: v.number(),
    title_characters: v.number(),
    /** How many a question may show, and how many bytes they may have together. */
    images: v.optional(v.number()),
    image_bytes: v.optional(v.number()),
  }),
  embedded: v.boolean(),
  announcement: v.nullish(Announcement),
});

export const SignedOut = v.object({ location: v.nullable(v.string()) });

export const ErrorBody = v.object({ error: Failure });

/** The data of `done` and `error` events: how a reply ended. */
export const ReplyEnd = v.object({
  status: Status,
  finish: v.nullish(v.string()),
  error: v.nullish(Failure),
});

export const TitleMade = v.object({ title: v.string(), usage: v.nullish(Usage) });

export const ToolDelta = v.object({ id: v.string(), name: v.string(), arguments: v.string() });

export type Usage = v.InferOutput<typeof Usage>;
export type Failure = v.InferOutput<typeof Failure>;
export type ImagePart = v.InferOutput<typeof ImagePart>;
export type Part = v.InferOutput<typeof Part>;
export type Status = v.InferOutput<typeof Status>;
export type Message = v.InferOutput<typeof Message>;
export type Conversation = v.InferOutput<typeof Conversation>;
export type ConversationPage = v.InferOutput<typeof ConversationPage>;
export type Segment = v.InferOutput<typeof Segment>;
export type SearchHit = v.InferOutput<typeof SearchHit>;
export type UsageTotal = v.InferOutput<typeof UsageTotal>;
export type OpenedConversation = v.InferOutput<typeof OpenedConversation>;
export type Model = v.InferOutput<typeof Model>;
export type Problem = v.InferOutput<typeof Problem>;
export type Price = v.InferOutput<typeof Price>;
export type NamedBudget = v.InferOutput<typeof NamedBudget>;
export type Budget = v.InferOutput<typeof Budget>;
export type Models = v.InferOutput<typeof Models>;
export type Announcement = v.InferOutput<typeof Announcement>;
export type Me = v.InferOutput<typeof Me>;
export type ReplyEnd = v.InferOutput<typeof ReplyEnd>;
export type ToolDelta = v.InferOutput<typeof ToolDelta>;
