import { existsSync, readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import * as v from "valibot";
import { SseParser, type SseEvent } from "../src/api/sse.ts";
import * as account from "../src/api/account-wire.ts";
import * as accounts from "../src/api/accounts-wire.ts";
import * as admin from "../src/api/admin-wire.ts";
import * as bringing from "../src/api/bringing.ts";
import * as doors from "../src/api/doors-wire.ts";
import { Preferences } from "../src/api/preferences.ts";
import * as wire from "../src/api/wire.ts";

const FOLDER = "test/wire-samples";

test("the server's own answers are here to be decoded", () => {
  expect(
    existsSync(FOLDER),
    `web/${FOLDER}/ is missing. The Python tests write it out of what the real server sends: run pytest tests/wire first.`,
  ).toBe(true);
});

interface Sample {
  readonly route: string;
  readonly type: string;
  readonly status: number;
  readonly body: unknown;
}

const schemas: Readonly<Record<string, v.GenericSchema>> = {
  Account: account.Account,
  AuditChecked: admin.AuditChecked,
  AuditPage: admin.AuditPage,
  Brought: bringing.Brought,
  BudgetList: wire.Budgets,
  Conversation: wire.Conversation,
  ConversationPage: wire.ConversationPage,
  Doors: doors.Doors,
  ErrorAnswer: wire.ErrorBody,
  GroupList: admin.Groups,
  Installation: admin.Installation,
  InvitationList: admin.Invitations,
  Key: accounts.Key,
  KeyList: accounts.Keys,
  LinkSeen: doors.LinkSeen,
  ListedGroup: admin.Group,
  ListedPerson: admin.Person,
  MadeInvitation: admin.MadeInvitation,
  MadeKey: accounts.KeyMade,
  MadeReset: admin.MadeReset,
  Me: wire.Me,
  Message: wire.Message,
  Models: wire.Models,
  Next: doors.Next,
  OpenedConversation: wire.OpenedConversation,
  PasskeyOptions: doors.PasskeyOptions,
  PeopleList: admin.People,
  Preferences,
  ProviderList: admin.Providers,
  RecoveryCodes: account.RecoveryCodes,
  SearchHits: wire.SearchHits,
  ShownPasskey: account.Passkey,
  SignedOut: wire.SignedOut,
  TotpBegun: account.TotpBegun,
  UsageReport: accounts.UsageReport,
};

/** What the page has no decoder for, since it only looks at the status. */
const unread = ["Health", "Nothing"];

const files = existsSync(FOLDER) ? readdirSync(FOLDER).filter((file) => file.endsWith(".json")) : [];
const samples = files.map((file) => [file, JSON.parse(readFileSync(`${FOLDER}/${file}`, "utf8")) as Sample] as const);

test.each(samples.filter(([, { type }]) => type !== "EventStream" && !unread.includes(type)))("%s is understood", (_, sample) => {
  const schema = schemas[sample.type];
  if (!schema) throw new Error(`the page has no decoder for ${sample.type}`);
  const result = v.safeParse(schema, sample.body);
  expect(result.issues ?? [], JSON.stringify(result.issues?.[0]?.message)).toEqual([]);
});

test("every decoder of an answer has a sample", () => {
  expect(Object.keys(schemas).filter((type) => !samples.some(([, sample]) => sample.type === type))).toEqual([]);
});

test.each(samples.filter(([, { type }]) => type === "EventStream"))("%s is understood event by event", (_, sample) => {
  const events: SseEvent[] = [];
  new SseParser((event) => events.push(event)).push(String(sample.body));
  const kinds = events.map((event) => event.event);
  expect(kinds.filter((kind) => kind === "done" || kind === "error")).toHaveLength(1);
  for (const event of events) {
    expect(Number.isSafeInteger(Number(event.id))).toBe(true);
    const schema = eventSchemas[event.event];
    if (!schema) throw new Error(`the page does not know the event ${event.event}`);
    v.parse(schema, JSON.parse(event.data));
  }
});

const eventSchemas: Readonly<Record<string, v.GenericSchema>> = {
  delta: v.string(),
  reasoning: v.string(),
  tool: wire.ToolDelta,
  usage: wire.Usage,
  title: wire.TitleMade,
  done: wire.ReplyEnd,
  error: wire.ReplyEnd,
};

test("every event has a sample", () => {
  const seen = samples.map(([, sample]) => (sample.type === "EventStream" ? String(sample.body) : "")).join("");
  expect(Object.keys(eventSchemas).filter((kind) => !seen.includes(`event: ${kind}\n`))).toEqual([]);
});
