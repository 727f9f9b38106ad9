import { expect, test } from "vitest";
import { readFiles, type Read } from "../src/conversation/text-files.ts";

const LIMIT = 100;
const read = (name: string, content: BlobPart, languages: readonly string[] = ["en-US"]): Promise<Read> =>
  readFiles([new File([content], name)], LIMIT, languages);
const bytes = (...numbers: number[]): Uint8Array<ArrayBuffer> => new Uint8Array(numbers);

test("a file stands in the question by its name, in a fence of its kind", async () => {
  expect(await read("main.py", "print(1)\r\n\r\n")).toEqual({ text: "main.py:\n\n```py\nprint(1)\n```", refused: [] });
  expect((await read("notes.TXT", "a\rb")).text).toBe("notes.TXT:\n\n```\na\nb\n```");
  expect((await read("Makefile", "all:")).text).toBe("Makefile:\n\n```\nall:\n```");
  expect((await read("한글 메모.md", "안녕")).text).toBe("한글 메모.md:\n\n```md\n안녕\n```");
});

test("nothing in a file ends its fence", async () => {
  expect((await read("a.md", "```js\n1\n```\n````")).text).toBe("a.md:\n\n`````md\n```js\n1\n```\n````\n`````");
});

test.each([
  ["UTF-8 with its mark", bytes(0xef, 0xbb, 0xbf, 0xec, 0x95, 0x88), ["en"], "안"],
  ["UTF-16, little end first", bytes(0xff, 0xfe, 0x48, 0xc5), ["en"], "안"],
  ["UTF-16, big end first", bytes(0xfe, 0xff, 0xc5, 0x48), ["en"], "안"],
  ["Korean of old programs", bytes(0xbe, 0xc8, 0xb3, 0xe7), ["ko-KR", "en"], "안녕"],
  ["Japanese of old programs", bytes(0x93, 0xfa, 0x96, 0x7b), ["ja"], "日本"],
  ["Western text", bytes(0x63, 0x61, 0x66, 0xe9), ["en", "ko"], "café"],
])("%s is read", async (_, content, languages, text) => {
  expect((await read("a.txt", content, languages)).text).toContain(`\n${text}\n`);
});

test("what is no text, or too long, is refused by name, and the others are there", async () => {
  const files = [
    new File([bytes(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0)], "photo.png"),
    new File(["x".repeat(LIMIT + 1)], "long.log"),
    new File(["x".repeat(LIMIT * 4 + 1)], "longer.log"),
    new File(["\u001b[31mred\u001b[0m"], "colours.log"),
    new File(["x".repeat(LIMIT)], "whole.log"),
  ];
  const found = await readFiles(files, LIMIT, ["en"]);
  expect(found.refused).toEqual([
    { name: "photo.png", why: "noText" },
    { name: "long.log", why: "tooLong" },
    { name: "longer.log", why: "tooLong" },
  ]);
  expect(found.text.split("\n\n").filter((line) => line.endsWith(":"))).toEqual(["colours.log:", "whole.log:"]);
});

test("a file that cannot be read is no text", async () => {
  const gone = new File(["a"], "gone.txt");
  gone.arrayBuffer = () => Promise.reject(new DOMException("", "NotFoundError"));
  expect((await readFiles([gone], LIMIT, [])).refused).toEqual([{ name: "gone.txt", why: "noText" }]);
});
