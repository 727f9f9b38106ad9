/** What an image's bytes say of it: of which kind it is, whether it moves, and what is told in it besides. Pure. */

export type ImageKind = "image/png" | "image/jpeg" | "image/webp" | "image/gif";

interface Block {
  readonly name: string;
  /** Where it begins, and where what comes after it does. */
  readonly at: number;
  readonly end: number;
}

const PNG_HEAD = 8;
const RIFF_HEAD = 12;
const JPEG_HEAD = 2;
const GIF_HEAD = 13;

const startsWith = (bytes: Uint8Array, text: string, at = 0): boolean => latin(bytes, at, text.length) === text;

function latin(bytes: Uint8Array, at: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + length));
}

/** Of which of the kinds that models read these bytes are, by how they begin; null for any other. */
export function kindOf(bytes: Uint8Array): ImageKind | null {
  if (startsWith(bytes, "\x89PNG\r\n\x1a\n")) return "image/png";
  if (startsWith(bytes, "\xff\xd8\xff")) return "image/jpeg";
  if (startsWith(bytes, "GIF87a") || startsWith(bytes, "GIF89a")) return "image/gif";
  return startsWith(bytes, "RIFF") && startsWith(bytes, "WEBP", 8) ? "image/webp" : null;
}

/** Whether it has more pictures than one, which a canvas would lose. */
export function moves(bytes: Uint8Array, kind: ImageKind): boolean {
  if (kind === "image/gif") return gifFrames(bytes) > 1;
  const name = { "image/png": "acTL", "image/webp": "ANIM", "image/jpeg": "" }[kind];
  return blocksOf(bytes, kind).some((block) => block.name === name);
}

/** What a camera or a program writes beside the pixels: place, time, device, author. */
const TOLD: Readonly<Record<ImageKind, ReadonlySet<string>>> = {
  "image/png": new Set(["eXIf", "tEXt", "iTXt", "zTXt", "tIME"]),
  "image/webp": new Set(["EXIF", "XMP "]),
  // Exif and XMP; several pictures in one, with what is told of each; what newspapers write; a comment.
  "image/jpeg": new Set(["e1", "ed", "fe", "e3", "e4", "e5", "e6", "e7", "e8", "e9", "ea", "eb", "ec", "ef"]),
  "image/gif": new Set(),
};

/** Whether nothing is in it but what is seen. A JPEG may not be followed by anything either: phones put films there. */
export function isBare(bytes: Uint8Array, kind: ImageKind): boolean {
  if (kind === "image/jpeg" && !(bytes.at(-2) === 0xff && bytes.at(-1) === 0xd9)) return false;
  return !blocksOf(bytes, kind).some((block) => TOLD[kind].has(block.name));
}

function blocksOf(bytes: Uint8Array, kind: ImageKind): Block[] {
  if (kind === "image/png") return walk(bytes, PNG_HEAD, pngBlock);
  if (kind === "image/webp") return walk(bytes, RIFF_HEAD, riffBlock);
  return kind === "image/jpeg" ? walk(bytes, JPEG_HEAD, jpegBlock) : [];
}

type Read = (view: DataView, bytes: Uint8Array, at: number) => Block | null;

/** One block after the other, as far as they can be read. */
function walk(bytes: Uint8Array, from: number, read: Read): Block[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const blocks: Block[] = [];
  for (let at = from; at + 8 <= bytes.length; ) {
    const block = read(view, bytes, at);
    if (!block) break;
    blocks.push(block);
    at = block.end;
  }
  return blocks;
}

const pngBlock: Read = (view, bytes, at) => ({ name: latin(bytes, at + 4, 4), at, end: at + 12 + view.getUint32(at) });

const riffBlock: Read = (view, bytes, at) => {
  const length = view.getUint32(at + 4, true);
  return { name: latin(bytes, at, 4), at, end: at + 8 + length + (length % 2) };
};

/** Up to where the pixels begin. */
const jpegBlock: Read = (view, bytes, at) => {
  const marker = bytes[at + 1] ?? 0;
  if (bytes[at] !== 0xff || marker === 0xda || marker === 0xd9) return null;
  return { name: marker.toString(16), at, end: at + 2 + view.getUint16(at + 2) };
};

const EXTENSION = 0x21;
const PICTURE = 0x2c;

/** How many pictures a GIF has; counting ends with the second. */
function gifFrames(bytes: Uint8Array): number {
  let frames = 0;
  let at = GIF_HEAD + tableBytes(bytes[10] ?? 0);
  while (frames < 2 && at < bytes.length) {
    if (bytes[at] === PICTURE) {
      frames += 1;
      at = pastPieces(bytes, at + 11 + tableBytes(bytes[at + 9] ?? 0));
    } else if (bytes[at] === EXTENSION) at = pastPieces(bytes, at + 2);
    else break;
  }
  return frames;
}

const tableBytes = (flags: number): number => (flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0);

/** Pieces with their length in front, until one of none. */
function pastPieces(bytes: Uint8Array, from: number): number {
  let at = from;
  while ((bytes[at] ?? 0) > 0) at += 1 + (bytes[at] ?? 0);
  return at + 1;
}
