import { expect, test } from "vitest";
import { awaitsTitle, begunBy, mergeMessages, messagesOf, newConversation, titleFrom } from "../src/conversation/turns.ts";
import { byId, message } from "./messages.ts";

const never = (): boolean => false;

test("a question and its reply are made before the server knows them", () => {
  const [question, reply] = messagesOf(
    { conversation: "c", reply: "r", model: "m", message: { id: "q", parent: null, parts: [{ type: "text", text: "Why?" }] } },
    100,
  );
  expect(question).toMatchObject({ id: "q", parent: null, role: "user", status: "complete", created: 100 });
  expect(reply).toMatchObject({ id: "r", parent: "q", role: "assistant", status: "streaming", model: "m", parts: [] });
});

test("a conversation that the server has not taken is made of its newest first question", () => {
  const turn = (reply: string, conversation: string, begins: boolean, text: string): Parameters<typeof begunBy>[0][number] => ({
    body: { conversation, reply, message: { id: `q of ${reply}`, parent: null, parts: [{ type: "text", text }] } },
    created: 1,
    begins,
  });
  const found = begunBy([turn("1", "a", true, "One"), turn("2", "b", false, "An edit"), turn("3", "a", true, "Another")]);
  expect(found).toMatchObject([{ id: "a", title: "Another", leaf: "3", archived: false }]);
});

test("a further answer and a continuation have no question of their own", () => {
  expect(messagesOf({ conversation: "c", reply: "r", parent: "q" }, 1)).toMatchObject([{ id: "r", parent: "q" }]);
});

test("messages that did not change stay the same objects", () => {
  const here = byId([message("q1", null), message("a2", "q1")]);
  const merged = mergeMessages(here, [message("q1", null), message("a2", "q1", { status: "stopped" })], never, never);
  expect(merged.get("q1")).toBe(here.get("q1"));
  expect(merged.get("a2")?.status).toBe("stopped");
});

test("a reply that grows here is not set back by what the server had stored", () => {
  const here = byId([message("a2", "q1", { status: "streaming", position: 90 })]);
  const merged = mergeMessages(here, [message("a2", "q1", { status: "streaming", position: 40 })], (id) => id === "a2", never);
  expect(merged.get("a2")?.position).toBe(90);
});

test("what is not sent yet stays, what was taken away elsewhere goes", () => {
  const here = byId([message("q1", null), message("q3", null), message("q9", null)]);
  const merged = mergeMessages(here, [message("q1", null)], never, (id) => id === "q9");
  expect([...merged.keys()]).toEqual(["q1", "q9"]);
});

test("a first title is one line of at most sixty letters", () => {
  expect(titleFrom("  What\n is  this? ")).toBe("What is this?");
  expect(titleFrom("가".repeat(60))).toBe("가".repeat(60));
  expect(titleFrom("👋".repeat(61))).toBe(`${"👋".repeat(59)}…`);
});

test("a title may still come while the only reply has just ended, and no one has named the conversation", () => {
  const conversation = newConversation({ conversation: "c", reply: "a2" }, 1);
  const ended = message("a2", "q1", { created: 1_000, heartbeat: 60_000 });
  const at = (now: number, ...others: (typeof ended)[]): boolean => awaitsTitle(conversation, [message("q1", null), ended, ...others], now);
  expect([at(61_000), at(75_000), at(90_000)]).toEqual([true, true, false]);
  expect(at(61_000, message("a3", "q1"))).toBe(false);
  expect(awaitsTitle({ ...conversation, title_source: "user" }, [ended], 61_000)).toBe(false);
  expect(awaitsTitle(conversation, [{ ...ended, status: "streaming" }], 61_000)).toBe(false);
});
