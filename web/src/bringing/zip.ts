/**
 * A ZIP read by slices: its directory, which stands at its end, and of its files only those that are wanted. An export with
 * all its pictures has gigabytes, of which the memory sees one piece of a conversation, or one picture, at a time.
 * The format is PKWARE's APPNOTE.TXT; ZIP64 (4.3.14) is what Python and ChatGPT write past four gigabytes.
 */

/**
 * A file in a ZIP: `packed` bytes of it are there, of which `unpacked` are said to become, `sum` is the CRC-32 of these,
 * `offset` is where its own head begins.
 */
export interface Member {
  readonly name: string;
  readonly method: number;
  readonly packed: number;
  readonly unpacked: number;
  readonly sum: number;
  readonly offset: number;
  readonly isLocked: boolean;
}

/** It is no ZIP, a damaged one, or one of a kind that browsers do not read. */
export class ZipFault extends Error {
  readonly kind: "damaged" | "locked" | "unknown";

  constructor(kind: "damaged" | "locked" | "unknown") {
    super(kind);
    this.kind = kind;
  }
}

const END = 0x06054b50;
const END64 = 0x06064b50;
const LOCATOR64 = 0x07064b50;
const ENTRY = 0x02014b50;
const HEAD = 0x04034b50;
const END_BYTES = 22;
const LOCATOR_BYTES = 20;
const MOST_COMMENT = 0xffff;
const NOT_HERE = 0xffffffff;
/** A directory of a hundred bytes a file: of a million files. */
const MOST_DIRECTORY = 100_000_000;
const STORED = 0;
const DEFLATED = 8;

const POLYNOMIAL = 0xedb88320;
const SUMS = Uint32Array.from({ length: 256 }, (_, byte) => {
  let sum = byte;
  for (let bit = 0; bit < 8; bit += 1) sum = (sum & 1) === 1 ? (sum >>> 1) ^ POLYNOMIAL : sum >>> 1;
  return sum;
});

const view = async (file: Blob, from: number, to: number): Promise<DataView> => {
  if (from < 0 || to > file.size || from > to) throw new ZipFault("damaged");
  return new DataView(await file.slice(from, to).arrayBuffer());
};

const long = (data: DataView, at: number): number => Number(data.getBigUint64(at, true));

export async function isZip(file: Blob): Promise<boolean> {
  if (file.size < END_BYTES) return false;
  const sign = (await view(file, 0, 4)).getUint32(0, true);
  return sign === HEAD || sign === END;
}

/** The files in a ZIP. Throws `ZipFault`. */
export async function membersOf(file: Blob): Promise<Member[]> {
  const { from, size } = await directoryOf(file);
  if (size > MOST_DIRECTORY) throw new ZipFault("damaged");
  const data = await view(file, from, from + size);
  const found: Member[] = [];
  for (let at = 0; at + 46 <= size && data.getUint32(at, true) === ENTRY; ) {
    const lengths = { name: data.getUint16(at + 28, true), extra: data.getUint16(at + 30, true), comment: data.getUint16(at + 32, true) };
    const end = at + 46 + lengths.name + lengths.extra;
    if (end > size) throw new ZipFault("damaged");
    found.push(memberAt(data, at, lengths.name, lengths.extra));
    at = end + lengths.comment;
  }
  return found;
}

async function directoryOf(file: Blob): Promise<{ from: number; size: number }> {
  const begin = Math.max(0, file.size - END_BYTES - MOST_COMMENT);
  const tail = await view(file, begin, file.size);
  for (let at = tail.byteLength - END_BYTES; at >= 0; at -= 1) {
    if (tail.getUint32(at, true) !== END) continue;
    const found = { from: tail.getUint32(at + 16, true), size: tail.getUint32(at + 12, true) };
    const count = tail.getUint16(at + 10, true);
    if (found.from !== NOT_HERE && found.size !== NOT_HERE && count !== 0xffff) return found;
    return (await directory64(file, begin + at - LOCATOR_BYTES)) ?? found;
  }
  throw new ZipFault("damaged");
}

async function directory64(file: Blob, at: number): Promise<{ from: number; size: number } | null> {
  if (at < 0) return null;
  const locator = await view(file, at, at + LOCATOR_BYTES);
  if (locator.getUint32(0, true) !== LOCATOR64) return null;
  const where = long(locator, 8);
  const end = await view(file, where, where + 56);
  if (end.getUint32(0, true) !== END64) throw new ZipFault("damaged");
  return { from: long(end, 48), size: long(end, 40) };
}

function memberAt(data: DataView, at: number, nameLength: number, extraLength: number): Member {
  const name = new TextDecoder().decode(new Uint8Array(data.buffer, data.byteOffset + at + 46, nameLength));
  let packed = data.getUint32(at + 20, true);
  let offset = data.getUint32(at + 42, true);
  let unpacked = data.getUint32(at + 24, true);
  const extras = at + 46 + nameLength;
  for (let extra = extras; extra + 4 <= extras + extraLength; extra += 4 + data.getUint16(extra + 2, true)) {
    if (data.getUint16(extra, true) !== 1) continue;
    // What does not fit into its own field stands here, in this order, and nothing else.
    let next = extra + 4;
    const end = Math.min(extra + 4 + data.getUint16(extra + 2, true), extras + extraLength);
    if (unpacked === NOT_HERE && next + 8 <= end) [unpacked, next] = [long(data, next), next + 8];
    if (packed === NOT_HERE && next + 8 <= end) [packed, next] = [long(data, next), next + 8];
    if (offset === NOT_HERE && next + 8 <= end) offset = long(data, next);
  }
  const [flags, method, sum] = [data.getUint16(at + 8, true), data.getUint16(at + 10, true), data.getUint32(at + 16, true)];
  return { name, method, packed, unpacked, sum, offset, isLocked: (flags & 1) === 1 };
}

/** What is in a file of a ZIP, unpacked as it is read. Throws `ZipFault`. */
export async function readMember(file: Blob, member: Member): Promise<ReadableStream<Uint8Array<ArrayBuffer>>> {
  if (member.isLocked) throw new ZipFault("locked");
  if (member.method !== STORED && member.method !== DEFLATED) throw new ZipFault("unknown");
  const head = await view(file, member.offset, member.offset + 30);
  if (head.getUint32(0, true) !== HEAD) throw new ZipFault("damaged");
  const from = member.offset + 30 + head.getUint16(26, true) + head.getUint16(28, true);
  if (from + member.packed > file.size) throw new ZipFault("damaged");
  const packed = file.slice(from, from + member.packed).stream();
  const content = member.method === STORED ? packed : packed.pipeThrough(new DecompressionStream("deflate-raw"));
  return content.pipeThrough(checked(member.sum));
}

/** What passes here has to have this sum at its end: bytes that were changed may unpack all the same. */
function checked(sum: number): TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>> {
  let found = 0xffffffff;
  return new TransformStream({
    transform: (piece, controller) => {
      for (const byte of piece) found = (found >>> 8) ^ (SUMS[(found ^ byte) & 0xff] as number);
      controller.enqueue(piece);
    },
    flush: (controller) => {
      if ((found ^ 0xffffffff) >>> 0 !== sum) controller.error(new ZipFault("damaged"));
    },
  });
}
