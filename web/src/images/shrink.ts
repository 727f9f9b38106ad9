/** Make an image as small as it is sent: no larger than models look at, and without what it tells besides. */
import { type ImageKind, isBare, kindOf, moves } from "./kinds.ts";

/** Pixels; what is larger, models make smaller themselves. */
const LONGEST_EDGE = 2_048;
/** Scales that are tried one after the other until it is small enough. */
const SCALES = [1, 0.75, 0.55, 0.4, 0.3, 0.2, 0.1];

export interface Small {
  readonly data: Blob;
  readonly width: number;
  readonly height: number;
}

/** Why an image is not taken. */
export type Refusal = "unreadable" | "tooLarge";

/**
 * Returns an image of `bytes` at most: as it is where it is small, of a kind that models read and tells nothing else;
 * drawn anew otherwise. One that moves stays as it is, and may be as large as `room`.
 */
export async function shrink(file: Blob, bytes: number, room: number): Promise<Small | Refusal> {
  const drawn = await drawable(file);
  if (!drawn) return "unreadable";
  try {
    const content = new Uint8Array(await file.arrayBuffer());
    const kind = kindOf(content);
    const { width, height } = drawn;
    if (kind && moves(content, kind)) {
      return file.size > room ? "tooLarge" : { data: new Blob([content], { type: kind }), width, height };
    }
    const isSmall = file.size <= bytes && Math.max(width, height) <= LONGEST_EDGE;
    if (kind && isSmall && isBare(content, kind)) return { data: new Blob([content], { type: kind }), width, height };
    return (await redrawn(drawn, kind, bytes)) ?? "tooLarge";
  } finally {
    drawn.close();
  }
}

/** Upright, as its camera was held. Null where this browser cannot draw it, or the file is gone. */
async function drawable(file: Blob): Promise<ImageBitmap | null> {
  try {
    return await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    return null;
  }
}

async function redrawn(bitmap: ImageBitmap, kind: ImageKind | null, bytes: number): Promise<Small | null> {
  const most = Math.min(1, LONGEST_EDGE / Math.max(bitmap.width, bitmap.height));
  for (const scale of SCALES) {
    const canvas = canvasOf(bitmap, most * scale);
    const { width, height } = canvas;
    const data = await written(canvas, kind, bytes);
    canvas.width = canvas.height = 0; // Safari keeps the pixels of many canvases for a while, and then gives no more
    if (data) return { data, width, height };
  }
  return null;
}

async function written(canvas: HTMLCanvasElement, kind: ImageKind | null, bytes: number): Promise<Blob | null> {
  for (const [type, quality] of waysFor(canvas, kind)) {
    const data = await encoded(canvas, type, quality);
    // Where a browser cannot write a kind, it writes PNG.
    if (data?.type === type && data.size <= bytes) return data;
  }
  return null;
}

type Way = readonly [type: ImageKind, quality?: number];

const AS_PHOTOGRAPH: readonly Way[] = [["image/jpeg", 0.88], ["image/jpeg", 0.78], ["image/jpeg", 0.65]];
const SHARP: readonly Way[] = [["image/png"], ["image/webp", 0.9], ["image/webp", 0.75]];

/** What may be letters is kept sharp where it can be, and what one sees through stays so; all else is a photograph. */
function waysFor(canvas: HTMLCanvasElement, kind: ImageKind | null): readonly Way[] {
  if (kind === null || kind === "image/jpeg") return AS_PHOTOGRAPH;
  return isSeenThrough(canvas) ? SHARP : [...SHARP, ...AS_PHOTOGRAPH];
}

function canvasOf(bitmap: ImageBitmap, scale: number): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const context = contextOf(canvas);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return canvas;
}

function contextOf(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new Error("this browser gives no canvas");
  return context;
}

function isSeenThrough(canvas: HTMLCanvasElement): boolean {
  const { data } = contextOf(canvas).getImageData(0, 0, canvas.width, canvas.height);
  for (let at = 3; at < data.length; at += 4) if (data[at] !== 255) return true;
  return false;
}

const encoded = (canvas: HTMLCanvasElement, type: ImageKind, quality?: number): Promise<Blob | null> =>
  new Promise((resolve) => canvas.toBlob(resolve, type, quality));
