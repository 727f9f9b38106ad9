/** The images of a conversation, made small and put into it one after the other, as far as they fit. */
import { base64Of, bytesIn } from "../images/base64.ts";
import type { kindOf } from "../images/kinds.ts";
import type { shrink, Small } from "../images/shrink.ts";
import type { Shown } from "./shown.ts";
import { isObject, type Value } from "./values.ts";

/** What a question may show: so many images, and so many bytes of them together. */
export interface ImageLimits {
  readonly images: number;
  readonly imageBytes: number;
}

/** What makes images small; fetched with the first of them. */
interface Making {
  readonly kindOf: typeof kindOf;
  readonly shrink: typeof shrink;
}

/** Where images lie that a conversation names. */
interface NamedImages {
  read(name: string, signal: AbortSignal): Promise<Blob | null>;
}

/** Put images into a conversation, up to `room` bytes more of JSON. Returns whether one was put. Throws where it is stopped. */
export type FillImages = (conversation: unknown, shown: readonly Shown[], room: number) => Promise<boolean>;

/** The member of a conversation in which the server looks for images by their names. */
const GIVEN = "daehwa_images";
/** Bytes of JSON around the base64 of an image. */
const AROUND_GIVEN = `,"${GIVEN}":{}`.length;
const AROUND_NAMED = `"":"",`.length;
const AROUND_INLINE = "data:image/jpeg;base64,".length;
const MARK = ";base64,";
/** So long may be what stands before the base64 of an address. */
const HEAD_CHARACTERS = 200;
/** So many bytes say of which kind an image is. */
const KIND_BYTES = 16;
/** An address of more characters is not read, as a file of 50 MB in a ZIP is not. */
const MOST_CHARACTERS = 66_000_000;

interface Made {
  readonly size: number;
  readonly kind: string;
  readonly base64: string;
}

/** What a question shows so far. */
interface Question {
  readonly shown: Set<string>;
  left: number;
}

/** `onMade` is told of each image that was made small; `load` fetches what makes it so. */
export function filling(images: NamedImages, limits: ImageLimits, signal: AbortSignal, onMade: () => void, load: () => Promise<Making>): FillImages {
  const read = (one: Shown): Promise<Blob | null> | Blob | null => ("name" in one ? images.read(one.name, signal) : blobAt(one.address));

  /** One at a time: it is in memory as a whole, and its pixels are. */
  async function made(one: Shown, bytes: number, room: number): Promise<Made | null> {
    signal.throwIfAborted();
    const image = await read(one);
    const small = image && (await smallOf(image, bytes, room, await load()));
    if (!small) return null;
    onMade();
    return { size: small.data.size, kind: small.data.type, base64: await base64Of(small.data) };
  }

  return async (conversation, shown, room) => {
    if (!isObject(conversation)) return false;
    const places = new Places(conversation, room);
    const seen = new Map<string, Made | null>();
    const questions = new Map<object, Question>();
    for (const one of shown) {
      const key = "name" in one ? one.name : one.address;
      const question = questions.get(one.question) ?? { shown: new Set(), left: limits.imageBytes };
      questions.set(one.question, question);
      const isShown = question.shown.has(key);
      if (!isShown && (question.shown.size >= limits.images || question.left <= 0)) continue;
      const bytes = Math.min(question.left, Math.floor(limits.imageBytes / limits.images));
      if (!seen.has(key)) seen.set(key, await made(one, bytes, Math.min(question.left, places.bytesLeft)));
      const image = seen.get(key);
      if (!image || (!isShown && image.size > question.left)) continue;
      if (!places.put(one, image)) break; // the newest are left out
      question.left -= isShown ? 0 : image.size;
      question.shown.add(key);
    }
    return places.isFilled;
  };
}

async function smallOf(image: Blob, bytes: number, room: number, { kindOf, shrink }: Making): Promise<Small | null> {
  try {
    const kind = kindOf(new Uint8Array(await image.slice(0, KIND_BYTES).arrayBuffer()));
    const small = await shrink(image.slice(0, image.size, kind ?? ""), bytes, room);
    return typeof small === "string" ? null : small;
  } catch {
    return null; // no canvas, or a file that is gone: an image less is no reason to stop
  }
}

/** Where images stand in a conversation, and how much of them it still takes. */
class Places {
  readonly #conversation: Value;
  readonly #given: Record<string, string> = {};
  #left: number;
  isFilled = false;

  constructor(conversation: Value, room: number) {
    this.#conversation = conversation;
    this.#left = room - AROUND_GIVEN;
  }

  /** So large may an image be that is put next. */
  get bytesLeft(): number {
    return Math.floor((this.#left * 3) / 4);
  }

  /** Put an image in. Returns false where there is no room for it. */
  put(one: Shown, { kind, base64 }: Made): boolean {
    const isInline = "address" in one;
    const around = isInline ? AROUND_INLINE : one.name in this.#given ? -base64.length : AROUND_NAMED + one.name.length;
    if (around + base64.length > this.#left) return false;
    this.#left -= around + base64.length;
    if (isInline) one.put(`data:${kind}${MARK}${base64}`);
    else this.#conversation[GIVEN] = Object.assign(this.#given, { [one.name]: base64 });
    this.isFilled = true;
    return true;
  }
}

function blobAt(address: string): Blob | null {
  const begin = address.slice(0, HEAD_CHARACTERS).toLowerCase().indexOf(MARK);
  const bytes = begin < 0 || address.length > MOST_CHARACTERS ? null : bytesIn(address.slice(begin + MARK.length));
  return bytes && new Blob([bytes]);
}
