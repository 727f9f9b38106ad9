import { expect, test } from "vitest";
import type { ReplyEvent } from "../src/api/event-stream.ts";
import { GrowingReply, isEmpty, textOf } from "../src/conversation/reply.ts";
import { message } from "./messages.ts";

const text = (position: number, more: string): ReplyEvent => ({ kind: "text", position, text: more });
const reasoning = (position: number, more: string): ReplyEvent => ({ kind: "reasoning", position, text: more });
const tool = (position: number, id: string, more: string): ReplyEvent => ({
  kind: "tool",
  position,
  tool: { id, name: "look_up", arguments: more },
});

test("deltas of one kind are one part, another kind begins the next", () => {
  const reply = new GrowingReply();
  reply.apply([reasoning(5, "Hm, "), reasoning(8, "yes"), text(14, "Hello"), text(15, "!")]);
  expect(reply.parts).toEqual([
    { type: "reasoning", text: "Hm, yes" },
    { type: "text", text: "Hello!" },
  ]);
  expect(reply.position).toBe(15);
});

test("two tool calls stand side by side, each with its arguments", () => {
  const reply = new GrowingReply();
  reply.apply([tool(1, "a", ""), tool(4, "a", '{"x'), tool(8, "a", '":1}'), tool(11, "b", "{}")]);
  expect(reply.parts).toEqual([
    { type: "tool_call", id: "a", name: "look_up", arguments: '{"x":1}' },
    { type: "tool_call", id: "b", name: "look_up", arguments: "{}" },
  ]);
});

test("empty deltas make no part", () => {
  const reply = new GrowingReply();
  expect(reply.apply([text(0, "")])).toBe(false);
  expect(reply.parts).toEqual([]);
});

test("it says when a part begins, and only then", () => {
  const reply = new GrowingReply();
  expect(reply.apply([text(2, "a")])).toBe(true);
  expect(reply.apply([text(3, "b")])).toBe(false);
  expect(reply.apply([text(4, "c"), reasoning(6, "d")])).toBe(true);
});

test("a reply that was followed from its middle is the same as one from its start", () => {
  const events = [reasoning(4, "one"), text(8, "two"), text(11, "thr"), tool(14, "a", "{}")];
  const whole = new GrowingReply();
  whole.apply(events);
  for (let cut = 0; cut <= events.length; cut += 1) {
    const before = new GrowingReply();
    before.apply(events.slice(0, cut));
    const after = new GrowingReply(before.frozen(), before.position);
    after.apply(events.slice(cut));
    expect(after.frozen()).toEqual(whole.frozen());
    expect(after.position).toBe(whole.position);
  }
});

test("growing leaves frozen parts and the message it began from alone", () => {
  const from = [{ type: "text", text: "a" }] as const;
  const reply = new GrowingReply(from, 2);
  const frozen = reply.frozen();
  reply.apply([text(3, "b")]);
  expect([from[0].text, frozen, textOf(reply.parts)]).toEqual(["a", [{ type: "text", text: "a" }], "ab"]);
});

test("usage is kept", () => {
  const reply = new GrowingReply();
  reply.apply([{ kind: "usage", usage: { input: 3, output: 4, cached: 0, reasoning: 0, cost: 7, estimated: false } }]);
  expect(reply.usage?.output).toBe(4);
});

test.each([
  [[], "stop", true],
  [[], null, true],
  [[{ type: "text", text: " \n" }], "stop", true],
  [[{ type: "reasoning", text: "Hm." }], "stop", true],
  [[], "length", false],
  [[], "content_filter", false],
  [[{ type: "text", text: "a" }], "stop", false],
  [[{ type: "tool_call", id: "1", name: "look", arguments: "{}" }], "tool_calls", false],
] as const)("an answer of %j that ended by %s is empty: %s", (parts, finish, expected) => {
  const answer = message("a2", "q1", { parts: [...parts], finish });
  expect(isEmpty([answer])).toBe(expected);
  expect(isEmpty([{ ...answer, status: "failed" }])).toBe(false);
  expect(isEmpty([message("a1", "q1"), answer])).toBe(false);
});
