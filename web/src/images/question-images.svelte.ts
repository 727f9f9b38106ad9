/** The images of a question that is being written, kept as its text is. */
import { untrack } from "svelte";
import * as v from "valibot";
import { ImagePart, type Model } from "../api/wire.ts";
import { imageMessages } from "../i18n/images/catalogue.ts";
import { readOwn, saveOwn } from "../lib/saved.ts";
import { kept, letGo } from "./kept.ts";

/** Those to which images are being added: whoever comes back meanwhile finds the same. */
const busy = new Map<string, QuestionImages>();

export class QuestionImages {
  list = $state.raw<readonly ImagePart[]>([]);
  /** Those that are being made smaller. */
  making = $state.raw<readonly { readonly id: string; readonly name: string }[]>([]);
  /** What a question that is edited showed: the conversation has them already. */
  readonly stored: readonly ImagePart[];
  readonly #name: string;
  #isLeft = false;
  #lastTurn: Promise<unknown> = Promise.resolve();

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

  /** Nobody writes this question any more; what is still being made for it goes nowhere. */
  get isLeft(): boolean {
    return this.#isLeft;
  }

  set(list: readonly ImagePart[]): void {
    if (this.#isLeft) return void letGo(this.#added(list));
    this.list = list;
    const isAsBefore = list.length === this.stored.length && this.#added(list).length === 0;
    saveOwn(this.#name, isAsBefore ? null : JSON.stringify(list));
  }

  #added(list: readonly ImagePart[]): ImagePart[] {
    const stored = new Set(this.stored.map(({ image }) => image));
    return list.filter(({ image }) => !stored.has(image));
  }

  /** Add images by `adding` once those before them are there, wherever the reader goes meanwhile. */
  async inTurn<T>(adding: () => Promise<T>): Promise<T> {
    busy.set(this.#name, this);
    const turn = this.#lastTurn.then(adding);
    const over = turn.catch(() => undefined); // its own caller is told; whoever comes after it is not held up
    this.#lastTurn = over;
    try {
      return await turn;
    } finally {
      if (this.#lastTurn === over && busy.get(this.#name) === this) busy.delete(this.#name);
    }
  }

  /** An edit is given up: what the conversation has stays, what was added goes. */
  leave(): void {
    this.#isLeft = true;
    busy.delete(this.#name);
    void letGo(this.#added(this.end()));
  }

  /** They are sent with the question now. */
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
