import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { localTime, readAnnouncement } from "../src/admin/announcement.ts";
import { actOf, factsOf } from "../src/admin/audit-sentence.ts";
import { readDays } from "../src/admin/days.ts";
import { formOf, readGroup } from "../src/admin/group-form.ts";
import { goneOf, isOfThisMachine, namesOf } from "../src/admin/people.ts";
import { changesOf } from "../src/admin/person-changes.ts";
import type { AuditEvent, Group, Person } from "../src/api/admin-wire.ts";
import { actMessages, factMessages, factValueMessages } from "../src/i18n/admin/catalogue.ts";
import { chooseLocale } from "../src/i18n/locale.ts";

const person: Person = {
  id: "1",
  login: "mina",
  email: "mina@example.com",
  name: "김민아",
  role: "member",
  groups: ["a"],
  door: "local",
  disabled: null,
  leaving: null,
  created: 1,
  last_seen: 2,
  has_password: true,
  has_totp: false,
  passkeys: 0,
  month_cost: 0,
};
const group: Group = {
  id: "a",
  name: "Lab",
  models: ["gpt-*", "local"],
  day: 500_000,
  month: null,
  total: 12_500_000,
  instructions: "Be brief.",
  claim: null,
  created: 1,
  members: 1,
  spent: { day: 1, month: null, total: 0 },
  unmatched: [],
};
const event: AuditEvent = {
  seq: 1,
  at: 1,
  actor: null,
  actor_name: "",
  action: "sign_in.failed",
  subject: "",
  address: null,
  details: { by: "password", second_factor: true, empty: "", none: null, sessions: 2, disabled: false },
  hash: "",
};

test("groups are named, and those that are no more are not", () => {
  expect(namesOf(["a", "gone"], [group])).toEqual(["Lab"]);
  expect(goneOf(["a", "gone"], [group])).toEqual(["gone"]);
});

test("only what was changed of a person is sent", () => {
  const form = { name: "김민아", email: "mina@example.com", role: "member", groups: ["a"] } as const;
  expect(changesOf(person, form)).toEqual({});
  expect(changesOf(person, { ...form, name: " Mina ", email: " ", role: "guest", groups: [] })).toEqual({
    name: "Mina",
    email: null,
    role: "guest",
    groups: [],
  });
  expect(changesOf({ ...person, groups: ["a", "b"] }, { ...form, groups: ["b", "a"] })).toEqual({});
});

test("a group is written into the form and read from it as it was", () => {
  const { name, models, day, month, total, instructions, claim } = group;
  expect(readGroup(formOf(group))).toEqual({ wish: { name, models, day, month, total, instructions, claim }, faults: [] });
});

test("what cannot be read of a group is named", () => {
  expect(readGroup({ ...formOf(null), day: "a lot", total: "0" }).faults).toEqual(["name", "day", "total"]);
});

test.each([
  ["", null],
  [" 30 ", 30],
  ["0", NaN],
  ["1.5", NaN],
  ["36501", NaN],
  ["never", NaN],
])("%j is read as %s days", (text, days) => {
  expect(readDays(text)).toBe(days);
});

test("an event is said in words, with its facts", () => {
  const acts = actMessages.get();
  expect(actOf(event, acts)).toBe("Could not sign in");
  expect(actOf({ ...event, action: "never.heard" }, acts)).toBe("never.heard");
  const facts = (): string => factsOf(event, factMessages.get(), factValueMessages.get());
  expect(facts()).toBe("by password, second factor, sessions 2");
  chooseLocale("ko");
  expect(facts()).toBe("방법: 비밀번호, 2단계 인증, 세션 수: 2");
  chooseLocale("en");
});

test.each([
  ["en", "admins may read: no"],
  ["ko", "관리자 열람: 아니요"],
])("in %s, what was switched off is said to be so", (locale, said) => {
  chooseLocale(locale);
  const details = { admins_may_read: false, second_factor: false };
  expect(factsOf({ ...event, details }, factMessages.get(), factValueMessages.get())).toBe(said);
  chooseLocale("en");
});

test.each([
  [{ key: "0197", name: "CI", prefix: "dw_abc" }, "key CI (dw_abc…)"],
  [{ key: "0197" }, "key 0197"],
  [{ name: "Friends", by: "admin" }, "name Friends, by admin"],
])("a key is called by its name where it is known: %j", (details, said) => {
  expect(factsOf({ ...event, details }, factMessages.get(), factValueMessages.get())).toBe(said);
});

test("every act that the server writes down has its words", () => {
  const folder = "../src/daehwa";
  const sources = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".py"));
  const noted = sources.flatMap((file) => [
    ...readFileSync(`${folder}/${file}`, "utf8").matchAll(/\b_?note\(\s*(?:request,\s*)?"([a-z_]+\.[a-z_]+)"(?: if [^"]+ else "([a-z_]+\.[a-z_]+)")?/g),
  ]);
  const said = new Set(noted.flatMap(([, action, other]) => [action, other].filter((name) => name !== undefined)));
  for (const way of ["link.made", "key.made", "person.disabled"]) expect(said).toContain(way);
  expect(said.size).toBeGreaterThan(25);
  const acts = actMessages.get();
  for (const action of said) expect(Object.keys(acts)).toContain(action.replace(".", "_"));
});

test.each([
  ["http://localhost:8000/#/link/x", true],
  ["http://127.0.0.1:8000/#/link/x", true],
  ["http://[::1]:8000/#/link/x", true],
  ["https://chat.example.com/#/link/x", false],
  ["https://localhost.example.com/#/link/x", false],
])("whether %s leads others anywhere", (url, isOwn) => {
  expect(isOfThisMachine(url)).toBe(isOwn);
});

test("an announcement is read out of its form, in local time", () => {
  const now = new Date(2027, 0, 31, 12).getTime();
  const until = "2027-01-31T18:05";
  expect(readAnnouncement({ en: " Friday ", ko: "", until }, now)).toEqual({
    wish: { en: "Friday", ko: "", until: new Date(2027, 0, 31, 18, 5).getTime() },
    wrong: null,
  });
  expect(readAnnouncement({ en: " ", ko: "", until }, now).wrong).toBe("announcementEmpty");
  expect(readAnnouncement({ en: "Friday", ko: "", until: "2027-01-31T11:59" }, now).wrong).toBe("announcementPast");
  expect(readAnnouncement({ en: "", ko: "금요일", until: "" }, now).wish?.until).toBeNull();
  expect([localTime(null), localTime(new Date(2027, 0, 31, 18, 5).getTime())]).toEqual(["", until]);
});
