import { expect, test } from "vitest";
import { EventStream, type Connection, type EventStreamOptions, type ReplyEvent } from "../src/api/event-stream.ts";
import { ApiFailure, networkFailure } from "../src/api/failure.ts";
import { frame, quickClock, streamed } from "./stream-server.ts";

interface Followed {
  readonly events: ReplyEvent[];
  readonly connections: Connection[];
  readonly asked: number[];
  readonly failure: ApiFailure | null;
}

type Answer = (signal: AbortSignal) => Response | ApiFailure;

/** Follow a reply to its end, each connection answered by the next of `answers`. */
function follow(answers: readonly Answer[], options: Partial<EventStreamOptions> = {}): Promise<Followed> {
  const events: ReplyEvent[] = [];
  const connections: Connection[] = [];
  const asked: number[] = [];
  return new Promise((resolve) => {
    const finish = (failure: ApiFailure | null): void => resolve({ events, connections, asked, failure });
    new EventStream({
      after: 0,
      clock: quickClock(),
      open: (after, signal) => {
        const answer = answers[asked.length]?.(signal) ?? networkFailure("nobody is there");
        asked.push(after);
        return answer instanceof ApiFailure ? Promise.reject(answer) : Promise.resolve(answer);
      },
      onEvents: (more) => events.push(...more),
      onConnection: (connection) => connections.push(connection),
      onFailure: finish,
      onClosed: () => finish(null),
      ...options,
    });
  });
}

const done = frame(9, "done", { status: "complete", finish: "stop" });

function textOf(events: readonly ReplyEvent[]): string {
  return events.map((event) => (event.kind === "text" ? event.text : "")).join("");
}

test("a whole stream gives its events in order", async () => {
  const { events, connections } = await follow([
    () =>
      streamed([
        ":\n\n",
        frame(3, "reasoning", "hm"),
        frame(9, "delta", "Hello"),
        frame(9, "usage", { input: 3, output: 2 }),
        done,
        frame(9, "title", { title: "A greeting", usage: { input: 9, output: 2, cached: 0, reasoning: 0, cost: 5 } }),
      ]),
  ]);
  expect(events).toEqual([
    { kind: "reasoning", position: 3, text: "hm" },
    { kind: "text", position: 9, text: "Hello" },
    { kind: "usage", usage: { input: 3, output: 2, cached: 0, reasoning: 0, cost: null, estimated: false } },
    { kind: "end", end: { status: "complete", finish: "stop" } },
    {
      kind: "title",
      title: "A greeting",
      usage: { input: 9, output: 2, cached: 0, reasoning: 0, cost: 5, estimated: false },
    },
  ]);
  expect(connections).toEqual(["connecting", "open"]);
});

test("events may be cut at any byte, inside a letter too", async () => {
  const bytes = new TextEncoder().encode(frame(4, "delta", "안녕 👋") + done);
  for (let size = 1; size <= 7; size += 1) {
    const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) => bytes.slice(at * size, (at + 1) * size));
    const { events } = await follow([() => streamed(pieces)]);
    expect(textOf(events)).toBe("안녕 👋");
  }
});

test("a lost connection goes on from the last event seen", async () => {
  const { events, asked, connections } = await follow([
    () => streamed([frame(4, "delta", "One "), "break"]),
    () => streamed([frame(8, "delta", "two "), "id: 9\neve"]),
    () => streamed([frame(8, "delta", "two "), frame(14, "delta", "three"), done]),
  ]);
  expect(asked).toEqual([0, 4, 8]);
  expect(textOf(events)).toBe("One two three");
  expect(connections).toContain("lost");
});

test("what was seen before is not seen twice", async () => {
  const { events } = await follow([() => streamed([frame(5, "delta", "seen"), frame(9, "delta", "new"), done])], { after: 5 });
  expect(textOf(events)).toBe("new");
});

test("while the server is not there, the waits grow and end when it answers", async () => {
  const clock = quickClock();
  const gone: Answer = () => networkFailure("refused");
  const { events } = await follow([gone, gone, gone, gone, gone, gone, gone, () => streamed([frame(3, "delta", "ok"), done])], {
    clock,
  });
  expect(textOf(events)).toBe("ok");
  expect(clock.waits).toEqual([400, 800, 1600, 3200, 6400, 12800, 15000]);
});

test("a server that asks to wait is given the time", async () => {
  const clock = quickClock();
  const busy: Answer = () => new ApiFailure(429, { type: "rate_limit", message: "Wait.", retry_after: 7 });
  await follow([busy, () => streamed([done])], { clock });
  expect(clock.waits).toEqual([7000]);
});

test("a failure that does not pass ends it", async () => {
  const { failure, asked } = await follow([
    () => new ApiFailure(404, { type: "model_not_found", message: "There is no such model." }),
  ]);
  expect(failure?.type).toBe("model_not_found");
  expect(asked).toEqual([0]);
});

test("a silent connection is given up and made again", async () => {
  const { events, asked } = await follow(
    [
      (signal) => streamed([frame(3, "delta", "a "), { wait: new Promise(() => undefined) }], signal),
      () => streamed([frame(5, "delta", "b"), done]),
    ],
    { clock: quickClock(20) },
  );
  expect(asked).toEqual([0, 3]);
  expect(textOf(events)).toBe("a b");
});

test("an end by error carries why", async () => {
  const error = { type: "upstream_cut", message: "The stream ended early." };
  const { events } = await follow([() => streamed([frame(0, "error", { status: "failed", error })])]);
  expect(events).toEqual([{ kind: "end", end: { status: "failed", error } }]);
});

test("a closed stream says no more", async () => {
  const seen: ReplyEvent[] = [];
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  await new Promise<void>((resolve) => {
    const stream = new EventStream({
      after: 0,
      clock: quickClock(),
      open: (_, signal) => Promise.resolve(streamed([frame(2, "delta", "a"), { wait: held }, frame(3, "delta", "b")], signal)),
      onEvents: (events) => {
        seen.push(...events);
        stream.close();
        release();
        setTimeout(resolve, 20);
      },
      onConnection: () => undefined,
      onFailure: () => undefined,
    });
  });
  expect(textOf(seen)).toBe("a");
});
