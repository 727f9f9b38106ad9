import { expect, test } from "vitest";
import { AT_ONCE, Batches, Body, type Unsent } from "../src/bringing/batches.ts";
import { elementsOf } from "../src/bringing/elements.ts";
import { elementsIn, exportIn } from "../src/bringing/export-file.ts";
import { slimmed } from "../src/bringing/slim.ts";
import { membersOf, ZipFault } from "../src/bringing/zip.ts";
import { bytes, fileOf, zipped } from "./zipped.ts";

const text = (found: Uint8Array | string): string => (typeof found === "string" ? found : new TextDecoder().decode(found));

async function* inPieces(content: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < content.length; at += size) yield content.subarray(at, at + size);
}

async function split(content: string, size = 7): Promise<string[]> {
  const found: string[] = [];
  for await (const element of elementsOf(inPieces(bytes(content), size))) found.push(text(element));
  return found;
}

async function brought(file: File): Promise<string[]> {
  const found: string[] = [];
  for (const shard of (await exportIn(file)).shards) {
    for await (const element of elementsIn(shard, new AbortController().signal)) found.push(text(element));
  }
  return found;
}

test.each([1, 3, 7, 1000])("an array is split wherever its pieces of %s bytes end", async (size) => {
  const values = [{ a: 'he said "}]," \\' }, { b: [[{}], "["] }, { c: "나무\\\\" }, [1, [2]], {}];
  const found = await split(` \n${JSON.stringify(values, null, 1)}\n`, size);
  expect(found.map((element) => JSON.parse(element) as unknown)).toEqual(values);
});

test("objects without an array are elements, as lines of our own export are", async () => {
  expect(await split('{"a":1}')).toEqual(['{"a":1}']);
  expect(await split('{"a":1}\n{"b":"}"}')).toEqual(['{"a":1}', '{"b":"}"}']);
  expect(await split("[]")).toEqual([]);
});

test.each(['[{"a":1},{"b"', '[{"a":1}', '[{"a":1},{"b":"x'])("what is cut off is told after what is whole: %s", async (content) => {
  expect(await split(content)).toEqual(['{"a":1}', "cutOff"]);
});

test.each([
  [0, false],
  [8, false],
  [0, true],
  [8, true],
] as const)("a ZIP of method %s is read, ZIP64: %s", async (method, is64) => {
  const files = [
    { name: "picture.png", content: bytes("x".repeat(5000)), method },
    { name: "export/conversations-001.json", content: bytes('[{"b":2}]'), method },
    { name: "export/conversations-000.json", content: bytes('[{"a":1}]'), method },
    { name: "__MACOSX/export/._conversations-000.json", content: bytes("junk"), method },
    { name: "export/user.json", content: bytes("{}"), method },
  ];
  expect(await brought(fileOf(zipped(files, is64, "a comment")))).toEqual(['{"a":1}', '{"b":2}']);
});

test("our own export is taken out of what was taken along, and any JSON where no name is known", async () => {
  const ours = [
    { name: "account.json", content: bytes('{"id":1}') },
    { name: "conversations.jsonl", content: bytes('{"type":"daehwa-export"}\n{"type":"conversation"}') },
  ];
  expect(await brought(fileOf(zipped(ours)))).toEqual(['{"type":"daehwa-export"}', '{"type":"conversation"}']);
  expect(await brought(fileOf(zipped([{ name: "One talk.json", content: bytes('{"messages":[]}') }])))).toEqual(['{"messages":[]}']);
  expect(await brought(fileOf(new Blob(['\ufeff [{"a":1}]']), "a.json"))).toEqual(['{"a":1}']);
  expect((await exportIn(fileOf(new Blob(["text"]), "a.txt"))).shards).toEqual([]);
});

test("a ZIP that is damaged, cut off, locked or lies is refused and not followed", async () => {
  const whole = zipped([{ name: "conversations.json", content: bytes('[{"a":1}]'.padEnd(3000)) }]);
  const content = new Uint8Array(await whole.arrayBuffer());
  await expect(membersOf(whole.slice(0, -30))).rejects.toBeInstanceOf(ZipFault);
  const stored = new Uint8Array(await zipped([{ name: "conversations.json", content: bytes('[{"a":1}]'), method: 0 }]).arrayBuffer());
  for (const intact of [content, stored]) {
    for (let at = 48; at < 56; at += 1) {
      const garbled = intact.slice();
      garbled[at] = (garbled[at] as number) ^ 0x55;
      await expect(brought(fileOf(new Blob([garbled])))).rejects.toMatchObject({ kind: "damaged" });
    }
  }
  const lying = content.slice();
  new DataView(lying.buffer).setUint32(content.length - 22 - 64 + 20, 0x7fffffff, true);
  await expect(brought(fileOf(new Blob([lying])))).rejects.toBeInstanceOf(ZipFault);
  const locked = zipped([{ name: "conversations.json", content: bytes("[]"), isLocked: true }]);
  await expect(brought(fileOf(locked))).rejects.toMatchObject({ kind: "locked" });
  const strange = zipped([{ name: "conversations.json", content: bytes("[]"), method: 12 }]);
  await expect(brought(fileOf(strange))).rejects.toMatchObject({ kind: "unknown" });
  for (const cut of [0, 3, 21, 22]) await expect(membersOf(new Blob([content.subarray(0, cut)]))).rejects.toBeInstanceOf(ZipFault);
});

test("reading can be broken off", async () => {
  const [shard] = (await exportIn(fileOf(new Blob(['[{"a":1}]']), "a.json"))).shards;
  const stop = new AbortController();
  stop.abort();
  const reading = (async () => {
    if (shard) for await (const _ of elementsIn(shard, stop.signal));
  })();
  await expect(reading).rejects.toMatchObject({ name: "AbortError" });
});

const noImages = (): Promise<boolean> => Promise.resolve(false);

async function added(batches: Batches, element: string): Promise<{ ready: Body[]; unsent: Unsent[] }> {
  const found: (Body | Unsent)[] = [];
  for await (const each of batches.add(bytes(element))) found.push(each);
  return { ready: found.filter((each) => each instanceof Body), unsent: found.filter((each) => "why" in each) };
}

async function bodyOf(body: { content: Blob } | null): Promise<unknown[]> {
  if (body === null) return [];
  return (JSON.parse(await body.content.text()) as { conversations: unknown[] }).conversations;
}

test("bodies hold so many conversations, and are no longer than the server takes", async () => {
  const batches = new Batches(10_000, noImages);
  const bodies = [];
  for (let number = 0; number < 50; number += 1) bodies.push(...(await added(batches, JSON.stringify({ number }))).ready);
  const sent = await Promise.all([...bodies, batches.rest()].map(bodyOf));
  expect(sent.flat()).toHaveLength(50);
  expect(Math.max(...sent.map((some) => some.length))).toBe(AT_ONCE);
  const long = new Batches(10_000, noImages);
  for (let number = 0; number < 5; number += 1) {
    const [ready] = (await added(long, JSON.stringify({ text: "x".repeat(4_000) }))).ready;
    if (ready) expect(ready.content.size).toBeLessThanOrEqual(10_000);
    expect((await Promise.all((ready?.alone ?? []).map(bodyOf))).map((some) => some.length)).toEqual(ready ? [1, 1] : []);
  }
  expect((await added(long, JSON.stringify({ title: "Long", text: "x".repeat(10_000) }))).unsent).toEqual([{ title: "Long", why: "tooLarge" }]);
});

test.each(["object", "array"])("conversations that stand together in an %s go as if each stood alone", async (kind) => {
  const batches = new Batches(10_000, noImages);
  const page = { author: { role: "tool" }, content: { content_type: "tether_browsing_display", result: "long".repeat(1_000) } };
  const values: unknown[] = Array.from({ length: 130 }, (_, number) => ({ title: String(number), mapping: { a: { message: page } } }));
  values[7] = { title: "Long", text: "x".repeat(10_000) };
  const { ready, unsent } = await added(batches, JSON.stringify(kind === "array" ? values : { version: 1, conversations: values }));
  expect(unsent).toEqual([{ title: "Long", why: "tooLarge" }]);
  const sent = await Promise.all([...ready, batches.rest()].map(bodyOf));
  expect(Math.max(...sent.map((some) => some.length))).toBe(AT_ONCE);
  const titles = values.map((value) => (value as { title: string }).title).filter((title) => title !== "Long");
  expect(sent.flat().map((value) => (value as { title: string }).title)).toEqual(titles);
  expect(JSON.stringify(sent)).not.toContain("long");
  expect(await added(batches, '{"conversations":[]}')).toEqual({ ready: [], unsent: [] });
  expect(batches.rest()).toBeNull();
});

test("what is no JSON is not sent, and lines that speak of the file are passed over", async () => {
  const batches = new Batches(10_000, noImages);
  expect((await added(batches, '{"a":')).unsent).toEqual([{ title: null, why: "notJson" }]);
  for await (const found of batches.add("cutOff")) expect(found).toEqual({ title: null, why: "cutOff" });
  expect.assertions(4);
  expect(await added(batches, '{"type":"end"}')).toEqual({ ready: [], unsent: [] });
  expect(batches.rest()).toBeNull();
});

test("half a character goes as it is written, for the server to mend", async () => {
  const batches = new Batches(10_000, noImages);
  await added(batches, '{"text":"half \\ud83d"}');
  expect(await batches.rest()?.content.text()).toContain("\\ud83d");
});

test("of ChatGPT everything goes that something is made of, and no page that a search found", () => {
  const node = (content: object, role = "assistant", metadata: object = {}) => ({
    id: "n",
    parent: "p",
    children: ["x"],
    message: { id: "n", author: { role, name: null }, content, recipient: "all", create_time: 1, weight: 1, metadata },
  });
  const reference = { matched_text: "m", alt: "a", snippet: "long", items: [{ title: "t", url: "u", snippet: "long" }] };
  const conversation = {
    title: "T",
    mapping: {
      page: node({ content_type: "tether_browsing_display", result: "long".repeat(1000) }, "tool"),
      output: node({ content_type: "execution_output", text: "3" }, "tool"),
      answer: node({ content_type: "text", parts: ["A"] }, "assistant", {
        model_slug: "gpt",
        content_references: [reference],
        attachments: [{ id: "f", name: "n", size: 3 }],
        search_result_groups: ["long"],
      }),
      root: { id: "root", parent: null, message: null },
    },
  };
  const slim = JSON.stringify(slimmed(conversation));
  expect(slim).not.toContain("long");
  const value = slimmed(conversation) as typeof conversation;
  expect(value.mapping.page.message.content).toEqual({ content_type: "tether_browsing_display", parts: ["…"] });
  expect(value.mapping.output.message.content).toEqual({ content_type: "execution_output", text: "3" });
  expect(value.mapping.answer.message.metadata).toEqual({
    model_slug: "gpt",
    attachments: [{ id: "f", name: "n" }],
    citations: [],
    content_references: [{ matched_text: "m", alt: "a", items: [{ title: "t", url: "u" }] }],
  });
  expect(value.mapping.root.message).toBeNull();
});

test("a tree of LibreChat becomes a list, however deep it is", () => {
  let tree: object[] = [];
  for (let number = 20_000; number > 0; number -= 1) tree = [{ messageId: `m${String(number)}`, text: "x", children: tree }];
  const flat = slimmed({ conversationId: "c", messagesTree: tree }) as { messages: { messageId: string; parentMessageId?: string }[] };
  expect(flat.messages).toHaveLength(20_000);
  expect(flat.messages[0]).toEqual({ messageId: "m1", text: "x" });
  expect(flat.messages[19_999]).toEqual({ messageId: "m20000", text: "x", parentMessageId: "m19999" });
});

test("whatever stands where something else should is survived", () => {
  for (const strange of [null, 1, "x", [], {}, [null], { a: null }]) {
    for (const name of ["mapping", "chat_messages", "chat", "history", "messagesTree"]) {
      expect(() => slimmed({ [name]: strange })).not.toThrow();
      expect(() => slimmed({ [name]: [strange] })).not.toThrow();
      expect(() => slimmed({ [name]: { a: strange, messages: { b: strange }, message: strange } })).not.toThrow();
    }
  }
});
