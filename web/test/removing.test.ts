// @vitest-environment jsdom
import { beforeEach, expect, test } from "vitest";
import type { TurnBody } from "../src/api/client.ts";
import { ApiFailure, networkFailure } from "../src/api/failure.ts";
import { keepTurn, markRefused, waitingTurns } from "../src/conversation/outbox.ts";
import { removeConversation } from "../src/conversation/removing.ts";
import { newConversation } from "../src/conversation/turns.ts";
import { conversations } from "../src/sidebar/list.svelte.ts";

const turn = (reply: string, conversation = "c"): TurnBody => ({
  conversation,
  reply,
  message: { id: `q-${reply}`, parent: null, parts: [{ type: "text", text: "Why?" }] },
});
const asked: string[] = [];
const answers =
  (failure?: ApiFailure) =>
  (id: string): Promise<void> => {
    asked.push(id);
    return failure ? Promise.reject(failure) : Promise.resolve();
  };
const missing = new ApiFailure(404, { type: "conversation_not_found", message: "No." });
const refusal = { type: "too_large", message: "Too long." };
const replies = (): string[] => waitingTurns().map(({ body }) => body.reply);

beforeEach(() => {
  localStorage.clear();
  asked.length = 0;
  for (const { id } of conversations.items) conversations.drop(id);
  conversations.put(newConversation(turn("a"), 1));
});

test("what the server refused is deleted here alone", async () => {
  keepTurn(turn("a"), 1, true);
  keepTurn(turn("other", "d"), 1, true);
  markRefused("a", refusal);
  expect(await removeConversation("c", answers())).toBe(false);
  expect([asked, replies(), conversations.items]).toEqual([[], ["other"], []]);
});

test("what the server may have taken is deleted there too, and is not sent again", async () => {
  keepTurn(turn("a"), 1, true);
  keepTurn(turn("b"), 2);
  markRefused("b", refusal);
  expect(await removeConversation("c", answers())).toBe(true);
  expect([asked, replies()]).toEqual([["c"], []]);
});

test("what the server turns out not to have is deleted", async () => {
  keepTurn(turn("a"), 1, true);
  expect(await removeConversation("c", answers(missing))).toBe(false);
  expect([asked, replies(), conversations.items]).toEqual([["c"], [], []]);
});

test("where the server cannot be asked nothing is deleted", async () => {
  keepTurn(turn("a"), 1, true);
  markRefused("a", refusal);
  keepTurn(turn("b"), 2);
  await expect(removeConversation("c", answers(networkFailure("offline")))).rejects.toThrow("offline");
  expect(waitingTurns().map(({ body, begins, refused }) => [body.reply, begins, refused?.type])).toEqual([
    ["a", true, "too_large"],
    ["b", false, undefined],
  ]);
  expect(conversations.items).toHaveLength(1);
});

test("of a conversation that the server has the turns that wait stay", async () => {
  keepTurn(turn("a"), 1);
  expect(await removeConversation("c", answers())).toBe(true);
  expect(replies()).toEqual(["a"]);
  await expect(removeConversation("c", answers(missing))).rejects.toThrow(missing);
});
