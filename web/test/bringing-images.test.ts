import { afterEach, expect, test, vi } from "vitest";
import { Batches, Body } from "../src/bringing/batches.ts";
import { exportIn } from "../src/bringing/export-file.ts";
import { filling, type ImageLimits } from "../src/bringing/filling.ts";
import { shownIn } from "../src/bringing/shown.ts";
import { slimmed } from "../src/bringing/slim.ts";
import { base64Of, bytesIn } from "../src/images/base64.ts";
import { kindOf } from "../src/images/kinds.ts";
import type { shrink } from "../src/images/shrink.ts";
import { bytes, fileOf, zipped } from "./zipped.ts";

type Json = Record<string, unknown>;
const LIMITS: ImageLimits = { images: 8, imageBytes: 4_000_000 };
const signal = new AbortController().signal;

const pointer = (name: string): Json => ({ content_type: "image_asset_pointer", asset_pointer: name });
const message = (role: string, time: number | null, parts: unknown[], metadata: Json = {}): Json => ({
  message: { author: { role }, create_time: time, content: { content_type: "multimodal_text", parts }, metadata },
});
const chatgpt = (...nodes: Json[]): Json => ({ title: "T", mapping: Object.fromEntries(nodes.map((node, at) => [String(at), node])) });
const inline = (text: string): string => `data:image/png;base64,${btoa(text)}`;
const names = (conversation: Json): string[] => shownIn(slimmed(conversation)).map((one) => ("name" in one ? one.name : one.address));

/** Images that lie in an export, in place of a ZIP; what they are asked for is noted. */
function lying(images: Record<string, string>, read: string[] = []) {
  return {
    read: (name: string) => {
      read.push(name);
      const found = images[name];
      return Promise.resolve(found === undefined ? null : new Blob([found]));
    },
  };
}

/** In place of a canvas, which there is none here: what is no larger than it may be stays, "torn" is damaged, "film" moves. */
const asSmall: typeof shrink = async (file, most, room) => {
  const text = await file.text();
  if (text.startsWith("torn")) return "unreadable";
  if (text.startsWith("film")) return file.size > room ? "tooLarge" : { data: new Blob([text], { type: "image/gif" }), width: 1, height: 1 };
  return { data: new Blob([text.slice(0, most)], { type: "image/jpeg" }), width: 1, height: 1 };
};

async function sent(conversation: Json, images: Record<string, string>, most = 100_000, limits = LIMITS) {
  const read: string[] = [];
  let made = 0;
  const batches = new Batches(most, filling(lying(images, read), limits, signal, () => (made += 1), load));
  const found: unknown[] = [];
  for await (const each of batches.add(bytes(JSON.stringify(conversation)))) found.push(each);
  const body = batches.rest() ?? found.find((each) => each instanceof Body);
  const text = body instanceof Body ? await body.content.text() : "";
  const [value] = text === "" ? [] : (JSON.parse(text) as { conversations: Json[] }).conversations;
  return { value: value ?? {}, given: (value?.["daehwa_images"] ?? {}) as Record<string, string>, size: bytes(text).length, read, made, found };
}

const load = () => Promise.resolve({ kindOf, shrink: asSmall });

afterEach(() => vi.unstubAllGlobals());

test("of ChatGPT the images that questions show are known by their names, the oldest first", () => {
  const conversation = chatgpt(
    message("user", 3, ["Late", pointer("sediment://file_0000abc#page_1")]),
    message("assistant", 2, [pointer("file-service://file-Made")]),
    message("tool", 2, [pointer("file-service://file-Drawn")]),
    message("user", 1, [pointer("file-service://file-AbC"), pointer("file-service://file-Two")]),
    message("user", null, [pointer("file-service://file-Untimed")]),
    message("user", 4, [pointer("file-service://file-Hidden")], { is_visually_hidden_from_conversation: true }),
    message("user", 5, [{ ...pointer("file-service://file-Heard"), content_type: "audio_asset_pointer" }, { content_type: "image_asset_pointer" }, null]),
  );
  expect(names(conversation)).toEqual(["file-AbC", "file-Two", "file-Untimed", "file_0000abc"]);
});

test("whatever stands where an image should is survived", () => {
  for (const strange of [null, 1, "x", [], {}, [null], [[{}]], { url: {} }, { a: { role: "user" } }]) {
    for (const name of ["mapping", "chat", "history", "messages", "messagesTree", "chat_messages"]) {
      const value = { conversationId: "c", [name]: strange, chat: { messages: [{ role: "user", files: strange, content: strange }] } };
      expect(() => shownIn(slimmed(value))).not.toThrow();
      expect(() => shownIn(slimmed({ conversationId: "c", [name]: { messages: { m: { role: "user", files: [strange], content: [strange] } } } }))).not.toThrow();
    }
    expect(() => shownIn({ mapping: { a: { message: { author: { role: "user" }, content: { parts: [strange] } } } } })).not.toThrow();
    expect(shownIn(strange)).toEqual([]);
  }
});

test("entries are found by names, in any folder, and nothing that only begins alike", async () => {
  const files = [
    { name: "conversations.json", content: bytes("[]") },
    { name: "file-AbCd-other.png", content: bytes("other") },
    { name: "deep/er/file-AbC-photo.png", content: bytes("photo") },
    { name: "file_0000abc-1234-sanitized.jpg", content: bytes("sanitized"), method: 0 },
    { name: "user/file-Dot.dat", content: bytes("dot") },
    { name: "file_under_photo.jpg", content: bytes("under") },
    { name: "__MACOSX/file-Mac-photo.png", content: bytes("junk") },
    { name: "file-Locked.png", content: bytes("locked"), isLocked: true },
    { name: "file-Strange.png", content: bytes("strange"), method: 12 },
  ];
  const { images, shards } = await exportIn(fileOf(zipped(files)));
  expect(shards.map(({ name }) => name)).toEqual(["conversations.json"]);
  const read = async (name: string) => (await images.read(name, signal))?.text();
  expect(await read("file-AbC")).toBe("photo");
  expect(await read("file-AbCd")).toBe("other");
  expect(await read("file_0000abc")).toBe("sanitized");
  expect(await read("file-Dot")).toBe("dot");
  expect(await read("file_under")).toBe("under");
  for (const none of ["file-Ab", "file-Mac", "file-Locked", "file-Strange", "conversations", "", "../file-AbC", "file-"]) expect(await read(none)).toBeUndefined();
});

test("an image that is damaged or larger than 50 MB is not read, whatever the ZIP says of it", async () => {
  const huge = { name: "file-Huge.png", content: new Uint8Array(50_000_001) };
  const zip = new Uint8Array(await zipped([{ name: "conversations.json", content: bytes("[]") }, huge]).arrayBuffer());
  expect(zip.length, "packed it is small").toBeLessThan(100_000);
  expect(await (await exportIn(fileOf(new Blob([zip])))).images.read("file-Huge", signal)).toBeNull();
  const lying = zip.slice();
  new DataView(lying.buffer).setUint32(zip.length - 22 - 59 + 24, 5, true);
  expect(await (await exportIn(fileOf(new Blob([lying])))).images.read("file-Huge", signal)).toBeNull();
  const torn = new Uint8Array(await zipped([{ name: "file-Torn.png", content: bytes("picture"), method: 0 }, { name: "a.json", content: bytes("[]") }]).arrayBuffer());
  torn[45] = (torn[45] as number) ^ 1;
  expect(await (await exportIn(fileOf(new Blob([torn])))).images.read("file-Torn", signal)).toBeNull();
});

test("reading an image can be broken off", async () => {
  const { images } = await exportIn(fileOf(zipped([{ name: "file-A.png", content: bytes("picture") }])));
  const stop = new AbortController();
  stop.abort();
  await expect(images.read("file-A", stop.signal)).rejects.toMatchObject({ name: "AbortError" });
  const batches = new Batches(10_000, filling(lying({ "file-A": "x" }), LIMITS, stop.signal, () => undefined, load));
  const adding = batches.add(bytes(JSON.stringify(chatgpt(message("user", 1, [pointer("sediment://file-A")]))))).next();
  await expect(adding).rejects.toMatchObject({ name: "AbortError" });
});

test("named images go beside their conversation, each read once, and those of answers are not read", async () => {
  const conversation = chatgpt(
    message("user", 1, [pointer("x://file-A"), pointer("x://file-A"), pointer("x://file-Gone")]),
    message("assistant", 2, [pointer("x://file-Drawn")]),
    message("user", 3, [pointer("x://file-A"), pointer("x://file-Torn"), pointer("x://file-B")]),
  );
  const { value, given, read, made } = await sent(conversation, { "file-A": "one", "file-B": "two", "file-Torn": "torn", "file-Drawn": "drawn" });
  expect(given).toEqual({ "file-A": btoa("one"), "file-B": btoa("two") });
  expect(read).toEqual(["file-A", "file-Gone", "file-Torn", "file-B"]);
  expect(made).toBe(2);
  expect(value["mapping"]).toEqual((slimmed(conversation) as Json)["mapping"]);
  expect((await sent(chatgpt(message("user", 1, ["No image"])), {})).value).not.toHaveProperty("daehwa_images");
});

test("a request stays within its size, and keeps the oldest images", async () => {
  const many = Array.from({ length: 7 }, (_, at) => message("user", 9 - at, [pointer(`x://file-${String(9 - at)}`)]));
  const oldestFirst = ["file-3", "file-4", "file-5", "file-6", "file-7", "file-8", "file-9"];
  // The newest is so small that it would fit where the one before does not.
  const images = Object.fromEntries(oldestFirst.map((name) => [name, "x".repeat(name === "file-9" ? 3 : 1_500)]));
  const counts = new Set<number>();
  for (let most = 1_500; most < 16_000; most += 11) {
    const { size, given, found } = await sent(chatgpt(...many), images, most);
    if (found.some((each) => (each as { why?: string }).why === "tooLarge")) continue;
    expect(size).toBeLessThanOrEqual(most);
    const count = Object.keys(given).length;
    expect(Object.keys(given)).toEqual(oldestFirst.slice(0, count));
    if (count < 7) expect(size, "no room is left unused").toBeGreaterThan(most - 2_200);
    counts.add(count);
  }
  expect([...counts]).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
});

test("a film that does not fit is passed over, and what comes after it is not", async () => {
  const conversation = chatgpt(message("user", 1, [pointer("x://file-Film")]), message("user", 2, [pointer("x://file-B")]));
  const { given, made } = await sent(conversation, { "file-Film": `film${"x".repeat(5_000)}`, "file-B": "two" }, 4_000);
  expect([Object.keys(given), made]).toEqual([["file-B"], 1]);
});

test("a question shows no more than it may, in number and in bytes", async () => {
  const all = Array.from({ length: 5 }, (_, number) => `file-${String(number)}`);
  const conversation = chatgpt(message("user", 1, all.map((name) => pointer(`x://${name}`))), message("user", 2, [pointer("x://file-4")]));
  const images = Object.fromEntries(all.map((name) => [name, name.repeat(100)]));
  const few = await sent(conversation, images, 100_000, { images: 3, imageBytes: 30_000 });
  expect(Object.keys(few.given)).toEqual(["file-0", "file-1", "file-2", "file-4"]);
  const small = await sent(conversation, images, 100_000, { images: 3, imageBytes: 300 });
  expect(Object.values(small.given).map((base64) => atob(base64).length)).toEqual([100, 100, 100, 100]);
  const film = await sent(conversation, { ...images, "file-0": `film${"x".repeat(246)}` }, 100_000, { images: 3, imageBytes: 300 });
  expect(Object.entries(film.given).map(([name, base64]) => [name, atob(base64).length])).toEqual([["file-0", 250], ["file-1", 50], ["file-4", 100]]);
});

const openWebUi = (...messages: Json[]): Json => ({ chat: { history: { messages: Object.fromEntries(messages.map((each, at) => [String(at), each])) } } });

test("of Open WebUI images of questions are made small in their place, and those of answers left out", async () => {
  const value = openWebUi(
    { role: "assistant", timestamp: 3, content: "Here", files: [{ type: "image", url: inline("drawn") }] },
    {
      role: "user",
      timestamp: 2,
      content: [{ type: "text", text: "What?" }, { type: "image_url", image_url: { url: inline("first"), detail: "high" } }, { type: "image_url", image_url: { url: "https://example.com/a.png" } }],
      files: [{ type: "image", name: "a.png", url: inline("second") }, { type: "image", url: inline("torn") }, { type: "file", name: "b.txt", url: "/b", file: { filename: "b.txt", data: "long" } }],
    },
  );
  const { value: went, made } = await sent(value, {});
  expect(made).toBe(2);
  const [answer, question] = Object.values((went["chat"] as { history: { messages: Json } }).history.messages) as Json[];
  expect(answer?.["files"]).toEqual([{ type: "image", url: "data:image/x,0" }]);
  const small = (text: string): string => `data:image/jpeg;base64,${btoa(text)}`;
  expect(question?.["content"]).toEqual([{ type: "text", text: "What?" }, { type: "image_url", image_url: { url: small("first") } }, { type: "image_url" }]);
  expect(question?.["files"]).toEqual([
    { type: "image", name: "a.png", url: small("second") },
    { type: "image", url: "data:image/x,2" },
    { type: "file", name: "b.txt", file: { filename: "b.txt" } },
  ]);
  const row = await sent({ chat: { messages: [{ role: "user", files: [{ type: "image", url: inline("third") }] }] } }, {});
  expect(JSON.stringify(row.value)).toContain(small("third"));
});

test("of LibreChat images of questions are made small in their place, in a tree and in a list", async () => {
  const question = {
    messageId: "q",
    isCreatedByUser: true,
    createdAt: "2025-01-01T00:00:00Z",
    files: [{ type: "image/png", filename: "a.png", filepath: inline("first") }, { type: "image/png", filename: "b.png", filepath: "/images/b.png" }],
    content: [{ type: "image_url", image_url: inline("second") }],
  };
  const answer = { messageId: "a", sender: "GPT", attachments: [{ filename: "c.png", type: "image/png", filepath: inline("drawn") }] };
  const small = (text: string): string => `data:image/jpeg;base64,${btoa(text)}`;
  for (const shape of [{ messagesTree: [{ ...question, children: [answer] }] }, { messages: [question, answer] }]) {
    const { value, made } = await sent({ conversationId: "c", ...shape }, {});
    expect(made).toBe(2);
    const [asked, said] = value["messages"] as Json[];
    expect(asked?.["files"]).toEqual([{ ...question.files[0], filepath: small("first") }, question.files[1]]);
    expect(asked?.["content"]).toEqual([{ type: "image_url", image_url: small("second") }]);
    expect(said?.["attachments"]).toEqual([{ ...answer.attachments[0], filepath: "data:image/x,0" }]);
  }
});

test("images in their place keep a request within its size too", async () => {
  const messages = Array.from({ length: 6 }, (_, number) => ({ role: "user", timestamp: number, files: [{ type: "image", url: inline(String(number).repeat(3_000)) }] }));
  for (let most = 1_500; most < 30_000; most += 1_111) {
    const { size, value } = await sent(openWebUi(...messages), {}, most);
    expect(size).toBeLessThanOrEqual(most);
    const isThere = JSON.stringify(value).split('"url"').slice(1).map((text) => text.includes(";base64,"));
    expect(isThere, "the oldest are there").toEqual([...isThere].sort((a, b) => Number(b) - Number(a)));
  }
});

test("our own export and Claude's are left as they are", async () => {
  const ours = { type: "conversation", record: { images: [{ data: "x" }], messages: [] } };
  expect((await sent(ours, {})).value).toEqual(ours);
  const claude = { name: "C", chat_messages: [{ sender: "human", text: "x", content: [] }] };
  expect((await sent(claude, {})).value).toEqual(claude);
});

test("base64 is written and read in pieces that join, without what only new browsers have", async () => {
  vi.stubGlobal("FileReader", undefined);
  for (const length of [0, 1, 2, 3, 24_575, 24_576, 24_577, 100_000]) {
    const content = Uint8Array.from({ length }, (_, at) => (at * 7919) & 255);
    const text = await base64Of(new Blob([content]));
    expect(text).toBe(Buffer.from(content).toString("base64"));
    expect(bytesIn(text)).toEqual(content);
  }
  expect(bytesIn("no base64!")).toBeNull();
});
