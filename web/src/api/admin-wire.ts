/** What the server says to its admins, decoded. Times are ms since 1970, money is micro-dollars. */
import * as v from "valibot";
import { Announcement } from "./wire.ts";

const money = v.nullable(v.number());
const moment = v.nullable(v.number());

export const Role = v.picklist(["admin", "member", "guest"]);

/** `groups` are ids; no `door` is open to whoever came by one that is closed now. */
export const Person = v.object({
  id: v.string(),
  login: v.nullable(v.string()),
  email: v.nullable(v.string()),
  name: v.string(),
  role: Role,
  groups: v.array(v.string()),
  door: v.picklist(["local", "provider", "none"]),
  disabled: moment,
  leaving: moment,
  created: v.number(),
  last_seen: v.number(),
  has_password: v.boolean(),
  has_totp: v.boolean(),
  passkeys: v.number(),
  month_cost: v.number(),
});

/** `count`: how many there are on all pages together. */
export const People = v.object({ people: v.array(Person), count: v.number(), after: v.nullable(v.string()) });

/** A link, told this one time. */
export const MadeReset = v.object({ url: v.string(), expires: v.number() });

/** A link that still works. `name`: whose password a "reset" sets anew; `by` null: from the terminal or by mail. */
export const Invitation = v.object({
  id: v.string(),
  kind: v.picklist(["first_admin", "invite", "reset"]),
  email: v.nullable(v.string()),
  name: v.nullable(v.string()),
  role: Role,
  groups: v.array(v.string()),
  created: v.number(),
  expires: v.number(),
  by: v.nullable(v.string()),
});

export const Invitations = v.object({ invitations: v.array(Invitation) });
export const MadeInvitation = v.object({ url: v.string(), invitation: Invitation });

/** Without `models`: every model. */
export const Group = v.object({
  id: v.string(),
  name: v.string(),
  models: v.array(v.string()),
  day: money,
  month: money,
  total: money,
  instructions: v.string(),
  claim: v.nullable(v.string()),
  created: v.number(),
  members: v.number(),
  spent: v.object({ day: money, month: money, total: money }),
  unmatched: v.array(v.string()),
});

export const Groups = v.object({ groups: v.array(Group) });

export const Circuit = v.object({
  state: v.string(),
  failures: v.number(),
  since: v.number(),
  again: v.nullable(v.number()),
  calls: v.number(),
  waiting: v.number(),
  max_concurrent: v.nullable(v.number()),
});

/** `models`: how many it lists now; `problem`: why they are not there. */
export const Provider = v.object({
  name: v.string(),
  kind: v.string(),
  base_url: v.nullable(v.string()),
  has_key: v.boolean(),
  models: v.number(),
  problem: v.nullable(v.string()),
  circuit: v.nullable(Circuit),
});

/** `routes`: aliases, and the models that they lead to. */
export const Providers = v.object({ providers: v.array(Provider), routes: v.record(v.string(), v.array(v.string())) });

export const Trial = v.object({ ok: v.boolean(), ms: v.number(), model: v.nullable(v.string()), message: v.string() });

export const Installation = v.object({
  admins_may_read: v.boolean(),
  retention_days: v.nullable(v.number()),
  announcement: v.nullable(Announcement),
});

export const AuditEvent = v.object({
  seq: v.number(),
  at: v.number(),
  actor: v.nullable(v.string()),
  actor_name: v.string(),
  action: v.string(),
  subject: v.string(),
  address: v.nullable(v.string()),
  details: v.record(v.string(), v.nullable(v.union([v.string(), v.number(), v.boolean()]))),
  hash: v.string(),
});

/** `next`: where the next page begins, null at the end; `people`: what those are called whom the events are about. */
export const AuditPage = v.object({ events: v.array(AuditEvent), next: v.nullable(v.number()), people: v.record(v.string(), v.string()) });

export const AuditChecked = v.object({ holds: v.boolean(), events: v.number(), broken_at: v.nullable(v.number()) });

export type Role = v.InferOutput<typeof Role>;
export type People = v.InferOutput<typeof People>;
export type Person = v.InferOutput<typeof Person>;
export type Invitation = v.InferOutput<typeof Invitation>;
export type Group = v.InferOutput<typeof Group>;
export type Provider = v.InferOutput<typeof Provider>;
export type Providers = v.InferOutput<typeof Providers>;
export type Trial = v.InferOutput<typeof Trial>;
export type Installation = v.InferOutput<typeof Installation>;
export type AuditEvent = v.InferOutput<typeof AuditEvent>;
export type AuditPage = v.InferOutput<typeof AuditPage>;
export type AuditChecked = v.InferOutput<typeof AuditChecked>;
