// @vitest-environment jsdom
import { beforeEach, expect, test } from "vitest";
import type { TurnBody } from "../src/api/client.ts";
import { ApiFailure, networkFailure } from "../src/api/failure.ts";
import { dropTurn, keepTurn, markRefused, sendWaiting, waitingTurns } from "../src/conversation/outbox.ts";

const turn = (reply: string): TurnBody => ({
  conversation: `c-${reply}`,
  reply,
  message: { id: `q-${reply}`, parent: null, parts: [{ type: "text", text: "Why?" }] },
});
const nobody = (): boolean => false;

beforeEach(() => localStorage.clear());

test("what is kept is there after a reload, once, until it is dropped", () => {
  keepTurn(turn("a"), 1);
  keepTurn({ conversation: "c", reply: "b", parent: "q", continue: true }, 2);
  keepTurn(turn("a"), 1);
  expect(waitingTurns().map(({ body }) => body)).toEqual([{ conversation: "c", reply: "b", parent: "q", continue: true }, turn("a")]);
  dropTurn("a");
  dropTurn("b");
  expect(waitingTurns()).toEqual([]);
  expect(localStorage.length).toBe(0);
});

test("a question keeps naming its images, whose bytes are elsewhere", () => {
  const parts = [{ type: "image", image: "i", width: 4, height: 3 }, { type: "text", text: "Why?" }] as const;
  const body: TurnBody = { conversation: "c", reply: "r", message: { id: "q", parent: null, parts } };
  keepTurn(body, 1);
  expect(waitingTurns().map((waiting) => waiting.body)).toEqual([body]);
});

test("what waits is sent once, oldest first, and its stream is left to the server", async () => {
  keepTurn(turn("a"), 1);
  keepTurn(turn("b"), 2);
  const sent: string[] = [];
  const signals: AbortSignal[] = [];
  const start = (body: TurnBody, signal: AbortSignal): Promise<Response> => {
    sent.push(body.reply);
    signals.push(signal);
    return Promise.resolve(new Response());
  };
  expect(await sendWaiting(start, nobody)).toEqual(["c-a", "c-b"]);
  expect(await sendWaiting(start, nobody)).toEqual([]);
  expect(sent).toEqual(["a", "b"]);
  expect(signals.every((signal) => signal.aborted)).toBe(true);
});

test("while the server is not there nothing is lost and nothing more is tried", async () => {
  keepTurn(turn("a"), 1);
  keepTurn(turn("b"), 2);
  let tries = 0;
  const start = (): Promise<Response> => {
    tries += 1;
    return Promise.reject(networkFailure("offline"));
  };
  expect(await sendWaiting(start, nobody)).toEqual([]);
  expect(tries).toBe(1);
  expect(waitingTurns()).toHaveLength(2);
});

test("what the server refuses waits for the reader's word, with the reason", async () => {
  keepTurn(turn("a"), 1);
  const refusal = new ApiFailure(413, { type: "too_large", message: "Too long." });
  await sendWaiting(() => Promise.reject(refusal), nobody);
  expect(waitingTurns()[0]?.refused).toMatchObject({ type: "too_large", message: "Too long." });
  const sent: string[] = [];
  const start = (body: TurnBody): Promise<Response> => {
    sent.push(body.reply);
    return Promise.resolve(new Response());
  };
  await sendWaiting(start, nobody);
  expect(sent).toEqual([]);
  markRefused("a", null);
  await sendWaiting(start, nobody);
  expect(sent).toEqual(["a"]);
});

test("a turn that the open conversation is sending is not sent a second time", async () => {
  keepTurn(turn("a"), 1);
  expect(await sendWaiting(() => Promise.reject(new Error("sent")), (reply) => reply === "a")).toEqual([]);
});

test.each(["{", "null", '[{"body":1}]'])("a store that holds %s is an empty one", (saved) => {
  localStorage.setItem("daehwa.outbox", saved);
  expect(waitingTurns()).toEqual([]);
});
