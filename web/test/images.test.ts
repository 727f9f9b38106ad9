import { expect, test } from "vitest";
import { images as imagesPart, imagesOf, partsOf } from "../src/conversation/images.svelte.ts";
import { messagesOf, newConversation } from "../src/conversation/turns.ts";
import { isBare, kindOf, moves } from "../src/images/kinds.ts";

const latin = (text: string): Uint8Array => Uint8Array.from(text, (letter) => letter.charCodeAt(0));
const joined = (...parts: readonly (Uint8Array | string)[]): Uint8Array =>
  Uint8Array.from(parts.flatMap((part) => [...(typeof part === "string" ? latin(part) : part)]));
const big = (number: number): Uint8Array => Uint8Array.of(number >>> 24, (number >> 16) & 255, (number >> 8) & 255, number & 255);
const little = (number: number): Uint8Array => big(number).reverse();

const pngBlock = (name: string, content = ""): Uint8Array => joined(big(content.length), name, content, "crc!");
const png = (...blocks: Uint8Array[]): Uint8Array =>
  joined("\x89PNG\r\n\x1a\n", pngBlock("IHDR", "x".repeat(13)), ...blocks, pngBlock("IDAT", "pixels"), pngBlock("IEND"));
const riffBlock = (name: string, content: string): Uint8Array =>
  joined(name, little(content.length), content, content.length % 2 ? "\0" : "");
const webp = (...blocks: Uint8Array[]): Uint8Array => joined("RIFF", little(1000), "WEBP", ...blocks);
const jpegBlock = (marker: number, content: string): Uint8Array =>
  joined(Uint8Array.of(0xff, marker, (content.length + 2) >> 8, (content.length + 2) & 255), content);
const jpeg = (...blocks: Uint8Array[]): Uint8Array =>
  joined("\xff\xd8", jpegBlock(0xe0, "JFIF\0 and more"), ...blocks, jpegBlock(0xda, "scan"), "pixels\xff\xe1\0\xff\xd9");
const PICTURE = joined("\x2c\0\0\0\0\x01\0\x01\0\0", "\x02\x02\x44\x01\0");
const CONTROL = joined("\x21\xf9\x04\0\x0a\0\0\0");
const gif = (...blocks: Uint8Array[]): Uint8Array => joined("GIF89a\x01\0\x01\0\x80\0\0", "\0\0\0\xff\xff\xff", ...blocks, "\x3b");

test("the kind of an image is what its bytes say", () => {
  expect([png(), jpeg(), webp(), gif()].map(kindOf)).toEqual(["image/png", "image/jpeg", "image/webp", "image/gif"]);
  for (const other of ["", "<svg/>", "RIFF1234WAVE", "\0\0\0\x18ftypheic", "GIF90a"]) expect(kindOf(latin(other))).toBeNull();
});

test("what has several pictures moves", () => {
  expect(moves(gif(CONTROL, PICTURE), "image/gif")).toBe(false);
  expect(moves(gif(CONTROL, PICTURE, joined("\x21\xfe\x05,,,,,\0")), "image/gif"), "a comment is no picture").toBe(false);
  expect(moves(gif(CONTROL, PICTURE, CONTROL, PICTURE), "image/gif")).toBe(true);
  expect([png(), png(pngBlock("acTL", "12345678"))].map((bytes) => moves(bytes, "image/png"))).toEqual([false, true]);
  const still = webp(riffBlock("VP8X", "0123456789"), riffBlock("VP8 ", "odd"));
  expect([still, webp(riffBlock("VP8X", "0123456789"), riffBlock("ANIM", "012345"))].map((bytes) => moves(bytes, "image/webp"))).toEqual([false, true]);
  expect(moves(jpeg(), "image/jpeg")).toBe(false);
});

test("what tells more than one sees is known", () => {
  expect(isBare(png(pngBlock("sRGB", "\0")), "image/png")).toBe(true);
  for (const name of ["eXIf", "tEXt", "iTXt", "zTXt", "tIME"]) expect(isBare(png(pngBlock(name, "where")), "image/png"), name).toBe(false);
  expect(isBare(webp(riffBlock("VP8 ", "odd"), riffBlock("ICCP", "colours")), "image/webp")).toBe(true);
  for (const name of ["EXIF", "XMP "]) expect(isBare(webp(riffBlock("VP8 ", "odd"), riffBlock(name, "where")), "image/webp"), name).toBe(false);
  expect(isBare(jpeg(jpegBlock(0xe2, "ICC_PROFILE")), "image/jpeg"), "what looks like a marker among the pixels is none").toBe(true);
  for (const marker of [0xe1, 0xed, 0xfe]) expect(isBare(jpeg(jpegBlock(marker, "where")), "image/jpeg"), String(marker)).toBe(false);
  expect(isBare(joined(jpeg(), "ftypmp42 a film"), "image/jpeg")).toBe(false);
});

test("what is cut off or damaged ends the reading, and nothing else", () => {
  for (const whole of [png(pngBlock("tEXt", "where")), webp(riffBlock("EXIF", "where")), jpeg(jpegBlock(0xe1, "where")), gif(CONTROL, PICTURE, PICTURE)]) {
    const kind = kindOf(whole);
    if (!kind) throw new Error("a sample is of no kind");
    for (let length = 0; length <= whole.length; length += 1) {
      expect(() => [moves(whole.slice(0, length), kind), isBare(whole.slice(0, length), kind)]).not.toThrow();
    }
    expect(() => moves(whole.map((byte, at) => (at > 12 ? 255 - byte : byte)), kind)).not.toThrow();
  }
});

const image = { type: "image", image: "i", width: 4, height: 3 } as const;

test("a question shows its images first, and needs no text then", () => {
  const text = { type: "text", text: "Why?" } as const;
  expect(partsOf([image], "Why?")).toEqual([image, text]);
  expect(partsOf([image], "")).toEqual([image]);
  expect(partsOf([], "Why?")).toEqual([text]);
  expect(imagesOf([image, text])).toEqual([image]);
  expect(imagesPart.now, "without images nothing of it is fetched").toBeNull();
});

test("a turn that is not stored yet shows its images, and has a title without a text", () => {
  const body = { conversation: "c", reply: "r", message: { id: "q", parent: null, parts: [image] } };
  expect(messagesOf(body, 1)[0]?.parts).toEqual([image]);
  expect(newConversation(body, 1).title).toBe("Image");
});
