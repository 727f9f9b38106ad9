/** A file that conversations are brought from: which parts of it hold them, what stands in these, and the images beside them. */
import { isAbort } from "../api/failure.ts";
import { elementsOf, type Broken } from "./elements.ts";
import { bounded } from "./reading.ts";
import { isZip, membersOf, readMember, ZipFault } from "./zip.ts";
import { ZippedImages } from "./zipped-images.ts";

/** A part of a file; `size` is how many bytes of JSON it says to hold. */
export interface Shard {
  readonly name: string;
  readonly size: number;
  readonly open: () => Promise<ReadableStream<Uint8Array<ArrayBuffer>>>;
}

/** What is in a file; without a shard it is nothing of this. */
export interface Export {
  readonly shards: readonly Shard[];
  readonly images: ZippedImages;
}

const OURS = /(^|\/)conversations\.jsonl$/;
const SHARD = /(^|\/)conversations?[-_ ]?\d*\.json$|(^|\/)conversations\/[^/]+\.json$/i;
const JSON_FILE = /\.json$/i;
const NOT_MEANT = /(^|\/)(__MACOSX\/|\._)/;
/** A packed file that grows without end is not followed further. */
const MOST_BYTES = 16 * 1024 ** 3;

/** Throws `ZipFault`. */
export async function exportIn(file: File): Promise<Export> {
  if (!(await isZip(file))) return { shards: await shardOf(file), images: new ZippedImages(file, []) };
  const members = (await membersOf(file)).filter(({ name }) => !NOT_MEANT.test(name) && !name.endsWith("/"));
  const named = (pattern: RegExp) => members.filter(({ name }) => pattern.test(name));
  const meant = [named(OURS), named(SHARD), named(JSON_FILE)].find((some) => some.length > 0) ?? [];
  const shards = meant
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map((member) => ({ name: member.name, size: member.unpacked, open: () => readMember(file, member) }));
  return { shards, images: new ZippedImages(file, members) };
}

async function shardOf(file: File): Promise<Shard[]> {
  const begin = new Uint8Array(await file.slice(0, 64 * 1024).arrayBuffer());
  const first = new TextDecoder().decode(begin).replace(/^\ufeff/, "").trimStart()[0];
  return first === "[" || first === "{" ? [{ name: "", size: file.size, open: () => Promise.resolve(file.stream()) }] : [];
}

/** The elements of a shard. Throws `ZipFault` where it cannot be read on. */
export async function* elementsIn(shard: Shard, signal: AbortSignal): AsyncGenerator<Uint8Array<ArrayBuffer> | Broken> {
  try {
    yield* elementsOf(bounded(await shard.open(), signal, MOST_BYTES));
  } catch (error) {
    // Whatever it is called: bytes that cannot be unpacked, or a file that was changed or moved since.
    throw isAbort(error) || error instanceof ZipFault ? error : new ZipFault("damaged");
  }
}
