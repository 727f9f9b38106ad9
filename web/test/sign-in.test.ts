// @vitest-environment jsdom
import { beforeEach, expect, test } from "vitest";
import * as v from "valibot";
import { Me } from "../src/api/wire.ts";
import { readDraft, saveDraft } from "../src/conversation/drafts.ts";
import { keepTurn, waitingTurns } from "../src/conversation/outbox.ts";
import { errorMessages, signInErrorMessages } from "../src/i18n/catalogue.ts";
import { sentenceForEntering, sentenceForSignIn } from "../src/i18n/failure.ts";
import { belongTo, forgetOwn, readSaved, save } from "../src/lib/saved.ts";
import { linkTokenOf, signInAddress, takeSignInError, waysIn } from "../src/sign-in/address.ts";
import { isLongEnough } from "../src/sign-in/new-password.ts";
import { initialOf, nameOf } from "../src/sign-in/person.ts";

beforeEach(() => {
  localStorage.clear();
  belongTo(null);
});

test("the way in leads back to where one was, hash and all", () => {
  const address = signInAddress("/chat.html?a=1&b=2#/c/0199?m=7");
  expect(new URL(address, "https://x.example").searchParams.get("return_to")).toBe("/chat.html?a=1&b=2#/c/0199?m=7");
});

test("the way in asks for another account only where it is told to", () => {
  const asked = (address: string): string | null => new URL(address, "https://x.example").searchParams.get("other_account");
  expect(asked(signInAddress("/chat.html?other_account=true"))).toBeNull();
  expect(asked(signInAddress("/chat.html", { otherAccount: true }))).toBe("true");
});

test.each([
  ["not_allowed", ["other"]],
  ["second_account", ["other"]],
  ["account_disabled", ["other"]],
  ["email_not_verified", ["known", "other"]],
  ["sign_in_cancelled", ["known", "other"]],
  ["sign_in_failed", ["known"]],
  ["", ["known"]],
  [null, ["known"]],
])("after %s these ways in are offered: %s", (error, ways) => {
  expect(waysIn(error)).toEqual(ways);
});

test.each([
  ["https://x.example/chat.html?sign_in_error=not_allowed#/c/1", "not_allowed", "/chat.html#/c/1"],
  ["https://x.example/?a=1&sign_in_error=", "", "/?a=1"],
  ["https://x.example/?a=1#sign_in_error=x", null, "/?a=1#sign_in_error=x"],
])("%s tells of %s", (address, type, rest) => {
  expect(takeSignInError(address)).toEqual({ type, address: rest });
});

test("each reason why signing in failed has its sentence, and an unknown one too", () => {
  const reasons = signInErrorMessages.get();
  for (const type of ["sign_in_failed", "sign_in_cancelled", "email_not_verified", "not_allowed", "second_account", "account_disabled", "store_unavailable"] as const) {
    expect(sentenceForSignIn(type, reasons)).toBe(reasons[type]);
  }
  for (const type of ["", "never_seen", "constructor"]) expect(sentenceForSignIn(type, reasons)).toBe(reasons.unknown);
});

const turn = { conversation: "c", reply: "r", message: { id: "q", parent: null, parts: [{ type: "text" as const, text: "Why?" }] } };

test("what one person wrote is there for them only", () => {
  belongTo("a");
  saveDraft("c", "Dear diary");
  keepTurn(turn, 1);
  belongTo("b");
  expect([readDraft("c"), waitingTurns()]).toEqual(["", []]);
  saveDraft("c", "Something else");
  belongTo("a");
  expect(readDraft("c")).toBe("Dear diary");
  expect(waitingTurns()).toHaveLength(1);
});

test("signing out removes what the person wrote, and nothing else; what comes late is not kept", () => {
  save("theme", "dark");
  belongTo("b");
  saveDraft(null, "By another");
  belongTo("a");
  saveDraft(null, "By me");
  keepTurn(turn, 1);
  forgetOwn("a");
  saveDraft(null, "Too late");
  expect(readDraft(null)).toBe("");
  expect(Object.keys(localStorage).sort()).toEqual(["daehwa.of.b.draft.new", "daehwa.theme"]);
  expect(readSaved("theme")).toBe("dark");
});

const old = {
  user: { id: "me", name: "Tester" },
  home: "local",
  version: "0.1",
  default_model: null,
  locale: "en",
  limits: { body_bytes: 1, message_characters: 1, title_characters: 1 },
  embedded: false,
};

test("a server that knows no sign-in is understood, and one that does", () => {
  expect(v.parse(Me, old)).toMatchObject({ sign_in: false, user: { role: "member" } });
  const user = { id: "1", name: "Min-ji", email: "minji@example.com", role: "admin" };
  expect(v.parse(Me, { ...old, sign_in: true, user })).toMatchObject({ sign_in: true, user });
});

test.each([
  [{ id: "1", name: "Min-ji", email: "m@example.com" }, "Min-ji", "M"],
  [{ id: "1", name: " ", email: "m@example.com" }, "m@example.com", "M"],
  [{ id: "1", name: "", login: "owner", email: "m@example.com" }, "owner", "O"],
  [{ id: "1", name: "", login: null, email: "m@example.com" }, "m@example.com", "M"],
  [{ id: "1", name: "" }, "1", "1"],
  [{ id: "1", name: "김민지" }, "김민지", "김"],
  [{ id: "1", name: "👩‍💻 Ada" }, "👩‍💻 Ada", "👩‍💻"],
])("%j is called %s", (person, name, initial) => {
  expect(nameOf(person)).toBe(name);
  expect(initialOf(name)).toBe(initial);
});

test.each([
  ["#/link/AbC_-9", "AbC_-9"],
  ["#/link/", null],
  ["#/link/a/b", null],
  ["#/links/a", null],
  [`#/link/${"a".repeat(101)}`, null],
])("the link in %s is %s", (hash, token) => {
  expect(linkTokenOf(hash)).toBe(token);
});

test.each([
  ["elevenchars", false],
  ["twelve chars", true],
  ["긴 비밀번호 열두 자임", true],
  ["긴 비밀번호 열한 자", false],
  ["👩‍💻👩‍💻", false],
  ["①".repeat(12), true],
])("%s is counted as the server counts it", (password, isLong) => {
  expect(isLongEnough(password)).toBe(isLong);
});

test("why a door did not open is said, whichever catalogue has it, and the wait with it", () => {
  const said = (type: string, retry_after?: number): string =>
    sentenceForEntering({ type, message: "x", retry_after }, signInErrorMessages.get(), errorMessages.get());
  expect(said("sign_in_expired")).toBe(signInErrorMessages.get().sign_in_expired);
  expect(said("too_many_attempts", 61)).toBe("That was tried too often. Try again in 61 seconds.");
  expect(said("never_seen")).toBe(signInErrorMessages.get().unknown);
});
