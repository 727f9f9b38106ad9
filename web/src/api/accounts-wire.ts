/** What the server says of keys and usage, decoded; only the screens that show it load this. */
import * as v from "valibot";

const money = v.nullish(v.number());
const moment = v.nullish(v.number());

/** Money in micro-dollars, times in ms since 1970. */
export const Key = v.object({
  id: v.string(),
  name: v.string(),
  prefix: v.string(),
  models: v.optional(v.array(v.string()), []),
  day: money,
  month: money,
  total: money,
  requests_per_minute: v.nullish(v.number()),
  tokens_per_minute: v.nullish(v.number()),
  created: v.number(),
  expires: moment,
  last_used: moment,
  revoked: moment,
  user: v.nullish(v.string()),
  spent: v.object({
    day: v.optional(v.number(), 0),
    month: v.optional(v.number(), 0),
    total: money,
  }),
});

/** `users`: what the keys’ owners are called, by id. `each`: what the settings let each key spend beside its own limits. */
export const Keys = v.object({
  keys: v.array(Key),
  users: v.optional(v.record(v.string(), v.string()), {}),
  each: v.optional(v.object({ day: money, month: money, total: money }), {}),
});

/** The only time that the key's text is told. */
export const KeyMade = v.object({ key: Key, secret: v.string() });

const count = v.optional(v.number(), 0);

/** The sum of the calls of one day (UTC), user, key, model and kind; of everybody's also of the same groups of the user. */
export const UsageRow = v.object({
  day: v.string(),
  user: v.string(),
  key: v.nullish(v.string()),
  model: v.string(),
  kind: v.string(),
  calls: v.number(),
  input: count,
  cached: count,
  output: count,
  reasoning: count,
  cost: count,
  reserved: count,
  estimated: count,
  unpriced: count,
  failed: count,
  groups: v.optional(v.array(v.string()), []),
});

export const UsageReport = v.object({
  since: v.string(),
  until: v.string(),
  rows: v.array(UsageRow),
  users: v.optional(v.record(v.string(), v.string()), {}),
  keys: v.optional(v.record(v.string(), v.string()), {}),
  groups: v.optional(v.record(v.string(), v.string()), {}),
});

export type Key = v.InferOutput<typeof Key>;
export type EachKey = v.InferOutput<typeof Keys>["each"];
export type Keys = v.InferOutput<typeof Keys>;
export type KeyMade = v.InferOutput<typeof KeyMade>;
export type UsageRow = v.InferOutput<typeof UsageRow>;
export type UsageReport = v.InferOutput<typeof UsageReport>;
