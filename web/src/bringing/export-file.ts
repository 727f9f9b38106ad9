/** A file that conversations are brought from: which parts of it hold them, and what stands in these. */
import { isAbort } from "../api/failure.ts";
import { elementsOf, type Broken } from "./elements.ts";
import { counted, isZip, membersOf, readMember, ZipFault } from "./zip.ts";

/** A part of a file: `size` is how many bytes of the file it takes. */
export interface Shard {
  readonly name: string;
  readonly size: number;
  readonly open: (onRead: (bytes: number) => void) => Promise<ReadableStream<Uint8Array<ArrayBuffer>>>;
}

const OURS = /(^|\/)conversations\.jsonl$/;
const SHARD = /(^|\/)conversations?[-_ ]?\d*\.json$|(^|\/)conversations\/[^/]+\.json$/i;
const JSON_FILE = /\.json$/i;
const NOT_MEANT = /(^|\/)(__MACOSX\/|\._)/;
/** A packed file that grows without end is not followed further. */
const MOST_BYTES = 16 * 1024 ** 3;

/** The parts of a file that hold conversations; none where it is nothing of this. Throws `ZipFault`. */
export async function shardsOf(file: File): Promise<Shard[]> {
  if (!(await isZip(file))) {
    const begin = new Uint8Array(await file.slice(0, 64 * 1024).arrayBuffer());
    const first = new TextDecoder().decode(begin).replace(/^\ufeff/, "").trimStart()[0];
    return first === "[" || first === "{" ? [{ name: "", size: file.size, open: (onRead) => Promise.resolve(counted(file, onRead)) }] : [];
  }
  const members = (await membersOf(file)).filter(({ name }) => !NOT_MEANT.test(name) && !name.endsWith("/"));
  const named = (pattern: RegExp) => members.filter(({ name }) => pattern.test(name));
  const meant = [named(OURS), named(SHARD), named(JSON_FILE)].find((some) => some.length > 0) ?? [];
  return meant
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map((member) => ({ name: member.name, size: member.packed, open: (onRead) => readMember(file, member, onRead) }));
}

/** The elements of a shard; `onRead` is told how many bytes of the file were read. Throws `ZipFault` where it cannot be read on. */
export async function* elementsIn(
  shard: Shard,
  signal: AbortSignal,
  onRead: (bytes: number) => void,
): AsyncGenerator<Uint8Array<ArrayBuffer> | Broken> {
  const stream = await shard.open(onRead);
  try {
    yield* elementsOf(bounded(stream, signal));
  } catch (error) {
    // Whatever it is called: bytes that cannot be unpacked, or a file that was changed or moved since.
    throw isAbort(error) || error instanceof ZipFault ? error : new ZipFault("damaged");
  }
}

async function* bounded(stream: ReadableStream<Uint8Array<ArrayBuffer>>, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader();
  let bytes = 0;
  try {
    for (;;) {
      signal.throwIfAborted();
      const { done, value } = await reader.read();
      if (done) return;
      bytes += value.length;
      if (bytes > MOST_BYTES) throw new ZipFault("damaged");
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
