/** Images that are added to a question: made small, kept, and shown in it; or refused, with a sentence. */
import type { ImagePart } from "../api/wire.ts";
import { format } from "../i18n/catalogue.ts";
import { imageMessages } from "../i18n/images/catalogue.ts";
import { announcer } from "../lib/announce.svelte.ts";
import { newId } from "../lib/ids.ts";
import { identity } from "../sign-in/identity.svelte.ts";
import { keep, kept } from "./kept.ts";
import type { QuestionImages } from "./question-images.svelte.ts";
import { type Refusal, shrink, type Small } from "./shrink.ts";

const MEGABYTE = 1_000_000;
const MOST_IMAGES = 8;
const MOST_BYTES = 4_000_000;

interface Taken {
  readonly file: File;
  readonly id: string;
}

/** Add what fits, one after the other: each needs its whole picture in memory. Returns why something was not taken, or "". */
export async function takeIn(files: readonly File[], question: QuestionImages): Promise<string> {
  const most = identity.me?.limits.images ?? MOST_IMAGES;
  const room = Math.max(0, most - question.list.length - question.making.length);
  const taken = files.slice(0, room).map((file) => ({ file, id: newId() }));
  question.making = [...question.making, ...taken.map(({ id, file }) => ({ id, name: file.name }))];
  const refused = await question.inTurn(() => added(taken, question, most));
  return taken.length < files.length ? imageMessages.get().tooMany(most) : refused;
}

async function added(taken: readonly Taken[], question: QuestionImages, most: number): Promise<string> {
  const bytes = identity.me?.limits.image_bytes ?? MOST_BYTES;
  const refusals: string[] = [];
  let count = 0;
  for (const { file, id } of taken) {
    if (question.isLeft) return "";
    const left = bytes - (await sizeOf(question.list));
    const made = await shrink(file, Math.min(left, Math.floor(bytes / most)), left);
    if (typeof made === "string") refusals.push(whyNot(made, file.name, bytes));
    else {
      const image = await store(id, file.name, made);
      question.set([...question.list, image]);
      count += 1;
    }
    question.making = question.making.filter((other) => other.id !== id);
  }
  if (count > 0 && !question.isLeft) announcer.say(imageMessages.get().added(count));
  return refusals[0] ?? "";
}

function whyNot(refusal: Refusal, name: string, bytes: number): string {
  const t = imageMessages.get();
  return refusal === "unreadable" ? t.unreadable({ name }) : t.tooLarge({ name, limit: format.get().number(bytes / MEGABYTE) });
}

async function sizeOf(images: readonly ImagePart[]): Promise<number> {
  const sizes = await Promise.all(images.map(async ({ image, size }) => size ?? (await kept(image))?.size ?? 0));
  return sizes.reduce((sum, size) => sum + size, 0);
}

async function store(id: string, name: string, { data, width, height }: Small): Promise<ImagePart> {
  await keep({ image: id, name, url: await urlOf(data), size: data.size, kept: Date.now() });
  return { type: "image", image: id, width, height, size: data.size };
}

const urlOf = (data: Blob): Promise<string> =>
  new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result as string);
    reader.onerror = () => reject(reader.error ?? new Error("an image that was made cannot be read"));
    reader.readAsDataURL(data);
  });
