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

/** Add what fits, one after the other: each needs its whole picture in memory. Returns why something was not taken, or "". */
export const takeIn = (files: readonly File[], question: QuestionImages): Promise<string> =>
  question.whileAdding(() => added(files, question));

async function added(files: readonly File[], question: QuestionImages): Promise<string> {
  const { images: most = MOST_IMAGES, image_bytes: bytes = MOST_BYTES } = identity.me?.limits ?? {};
  const t = imageMessages.get();
  const room = Math.max(0, most - question.list.length - question.making.length);
  const taken = files.slice(0, room).map((file) => ({ file, id: newId() }));
  const refusals = taken.length < files.length ? [t.tooMany(most)] : [];
  let count = 0;
  question.making = [...question.making, ...taken.map(({ id, file }) => ({ id, name: file.name }))];
  for (const { file, id } of taken) {
    const left = bytes - (await sizeOf(question.list));
    const made = await shrink(file, Math.min(left, Math.floor(bytes / most)), left);
    if (typeof made === "string") refusals.push(whyNot(made, file.name, bytes));
    else {
      question.set([...question.list, await store(id, file.name, made)]);
      count += 1;
    }
    question.making = question.making.filter((other) => other.id !== id);
  }
  if (count > 0) announcer.say(t.added(count));
  return refusals[0] ?? "";
}

function whyNot(refusal: Refusal, name: string, bytes: number): string {
  const t = imageMessages.get();
  return refusal === "unreadable" ? t.unreadable({ name }) : t.tooLarge({ name, limit: format.get().number(bytes / MEGABYTE) });
}

async function sizeOf(images: readonly ImagePart[]): Promise<number> {
  const found = await Promise.all(images.map(({ image }) => kept(image)));
  return found.reduce((sum, image) => sum + (image?.size ?? 0), 0);
}

async function store(id: string, name: string, { data, width, height }: Small): Promise<ImagePart> {
  await keep({ image: id, name, url: await urlOf(data), size: data.size, kept: Date.now() });
  return { type: "image", image: id, width, height };
}

const urlOf = (data: Blob): Promise<string> =>
  new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result as string);
    reader.onerror = () => reject(reader.error ?? new Error("an image that was made cannot be read"));
    reader.readAsDataURL(data);
  });
