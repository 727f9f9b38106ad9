/** The images of a question that is being written, kept as its text is. */
import { untrack } from "svelte";
import * as v from "valibot";
import { ImagePart, type Model } from "../api/wire.ts";
import { imageMessages } from "../i18n/images/catalogue.ts";
import { readOwn, saveOwn } from "../lib/saved.ts";
import { kept } from "./kept.ts";

/** Those to which images are being added: whoever comes back meanwhile finds the same. */
const busy = new Map<string, QuestionImages>();

export class QuestionImages {
  list = $state.raw<readonly ImagePart[]>([]);
  /** Those that are being made smaller. */
  making = $state.raw<readonly { readonly id: string; readonly name: string }[]>([]);
  /** What a question that is edited showed: the conversation has them already. */
  readonly stored: readonly ImagePart[];
  readonly #name: string;

  private constructor(name: string, stored: readonly ImagePart[]) {
    const list = read(name) ?? stored;
    this.#name = name;
    this.stored = stored;
    this.list = list;
    if (list !== stored) void this.#leaveLost();
  }

  /** Those of the draft of this name. */
  static of(name: string, stored: readonly ImagePart[] = []): QuestionImages {
    return busy.get(name) ?? untrack(() => new QuestionImages(name, stored));
  }

  get isEmpty(): boolean {
    return this.list.length + this.making.length === 0;
  }

  /** Whether the question cannot be sent yet, or not to this model. */
  holdsBack(model: Model | null): boolean {
    return this.making.length > 0 || this.#areUnseen(model);
  }

  /** What the reader is told of that; `waits` where they wanted to send it already. */
  note(model: Model | null, waits: boolean): string {
    if (model && this.#areUnseen(model)) return imageMessages.get().notSeen({ model: model.name });
    return waits && this.making.length > 0 ? imageMessages.get().stillMade : "";
  }

  #areUnseen(model: Model | null): boolean {
    return this.list.length > 0 && model?.sees_images === false;
  }

  set(list: readonly ImagePart[]): void {
    this.list = list;
    saveOwn(this.#name, list.length === this.stored.length ? null : JSON.stringify(list));
  }

  /** Add images by `adding`, wherever the reader goes meanwhile. */
  async whileAdding<T>(adding: () => Promise<T>): Promise<T> {
    busy.set(this.#name, this);
    try {
      return await adding();
    } finally {
      busy.delete(this.#name);
    }
  }

  /** They are sent with the question now, or left with it. */
  end(): readonly ImagePart[] {
    const { list } = this;
    this.list = this.stored;
    saveOwn(this.#name, null);
    return list;
  }

  /** A draft may have outlived the bytes of its images; those that are lost leave it. */
  async #leaveLost(): Promise<void> {
    const stored = new Set(this.stored.map(({ image }) => image));
    const found = await Promise.all(this.list.map(async ({ image }) => stored.has(image) || (await kept(image)) !== null));
    if (found.includes(false)) this.set(this.list.filter((_, index) => found[index]));
  }
}

function read(name: string): ImagePart[] | null {
  try {
    return v.parse(v.array(ImagePart), JSON.parse(readOwn(name) ?? ""));
  } catch {
    return null;
  }
}
