import { expect, test } from "vitest";
import { SseParser, type SseEvent } from "../src/api/sse.ts";

function parse(...pieces: string[]): SseEvent[] {
  const events: SseEvent[] = [];
  const parser = new SseParser((event) => events.push(event));
  for (const piece of pieces) parser.push(piece);
  return events;
}

test("LF, CR and CRLF end lines, also across pieces", () => {
  const expected = [{ id: "1", event: "delta", data: "a" }];
  expect(parse("id: 1\nevent: delta\ndata: a\n\n")).toEqual(expected);
  expect(parse("id: 1\r\nevent: delta\r", "\ndata: a\r\n\r", "\n")).toEqual(expected);
  expect(parse("id: 1\revent: delta\rdata: a\r\r", ":")).toEqual(expected);
});

test("comments and events without data say nothing", () => {
  expect(parse(":\n\n", "event: ping\n\n", ": still here\ndata: x\n\n")).toEqual([{ id: null, event: "message", data: "x" }]);
});

test("several data lines are one text, and a colon may stand in it", () => {
  expect(parse("data: a: b\ndata:c\n\n")[0]?.data).toBe("a: b\nc");
});

test("an id holds until the next one", () => {
  expect(parse("id: 7\ndata: a\n\ndata: b\n\n").map((event) => event.id)).toEqual(["7", "7"]);
});
