/** Files that a question is about, as text in it: only with the first of them is this fetched. */

import { tick } from "svelte";
import { format } from "../i18n/catalogue.ts";
import { fileMessages } from "../i18n/rare/catalogue.ts";

/** What other encodings than UTF-8 are most likely, by the reader's languages. */
const BY_LANGUAGE: Readonly<Record<string, string>> = { ko: "euc-kr", ja: "shift_jis", zh: "gb18030" };
const ELSE = "windows-1252";
/** Bytes that a character takes at most. */
const WIDEST = 4;
/** Control characters that no text has; tab, line ends, form feed and the escape of coloured logs are not among them. */
const NO_TEXT = /[\0-\x08\x0e-\x1a\x1c-\x1f]/;
/** Endings that say nothing of what is in a file. */
const PLAIN = new Set(["", "txt", "text", "log"]);

export interface Read {
  /** What was read, to stand below a question. */
  readonly text: string;
  readonly refused: readonly Refused[];
}

interface Refused {
  readonly name: string;
  readonly why: "noText" | "tooLong";
}

/** Read files, each of so many characters at most; `languages` as `navigator.languages` has them. */
export async function readFiles(files: readonly File[], limit: number, languages: readonly string[]): Promise<Read> {
  const blocks: string[] = [];
  const refused: Refused[] = [];
  for (const file of files) {
    const content = file.size > limit * WIDEST ? null : textOf(await bytesOf(file), languages);
    if (content === undefined) refused.push({ name: file.name, why: "noText" });
    else if (content === null || content.length > limit) refused.push({ name: file.name, why: "tooLong" });
    else blocks.push(blockOf(file.name, content));
  }
  return { text: blocks.join("\n\n"), refused };
}

/** What files say goes below the question, which gives the conversation its name; one writes on where one was. */
export async function addBelow(area: HTMLTextAreaElement, said: string, write: (text: string) => void): Promise<void> {
  const own = area.value.trimEnd();
  const at = Math.min(area.selectionStart, own.length);
  write(`${own}\n\n${said}`);
  await tick();
  area.setSelectionRange(at, at);
}

export function whyRefused({ name, why }: Refused, limit: number): string {
  const t = fileMessages.get();
  return why === "noText" ? t.noText({ name }) : t.fileTooLong({ name, limit: format.get().number(limit) });
}

/** A folder that was dropped cannot be read, nor a file that is gone since it was chosen. */
async function bytesOf(file: File): Promise<Uint8Array | undefined> {
  try {
    return new Uint8Array(await file.arrayBuffer());
  } catch {
    return undefined;
  }
}

function textOf(bytes: Uint8Array | undefined, languages: readonly string[]): string | undefined {
  if (bytes === undefined) return undefined;
  for (const encoding of encodingsOf(bytes, languages)) {
    const found = decoded(bytes, encoding);
    if (found !== null) return NO_TEXT.test(found) ? undefined : found.replaceAll(/\r\n?/g, "\n").trimEnd();
  }
  return undefined;
}

function encodingsOf([first, second]: Uint8Array, languages: readonly string[]): Set<string> {
  if (first === 0xff && second === 0xfe) return new Set(["utf-16le"]);
  if (first === 0xfe && second === 0xff) return new Set(["utf-16be"]);
  return new Set(["utf-8", ...languages.map((tag) => BY_LANGUAGE[tag.slice(0, 2)] ?? ELSE), ELSE]);
}

function decoded(bytes: Uint8Array, encoding: string): string | null {
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}

/** A file's name, and what is in it within a fence that nothing in it ends. */
function blockOf(name: string, content: string): string {
  const ending = /\.([a-z0-9+#-]{1,10})$/i.exec(name)?.[1]?.toLowerCase() ?? "";
  const longest = Math.max(2, ...Array.from(content.matchAll(/`+/g), ([run]) => run.length));
  const fence = "`".repeat(longest + 1);
  return `${name}:\n\n${fence}${PLAIN.has(ending) ? "" : ending}\n${content}\n${fence}`;
}
