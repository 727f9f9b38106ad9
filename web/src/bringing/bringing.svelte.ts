/** Bringing conversations along out of a file: how far it has come, and what became of them. It goes on while other screens are open. */
import { importConversations, type Brought } from "../api/bringing.ts";
import { ApiFailure, isAbort, networkFailure } from "../api/failure.ts";
import { images as imagesPart } from "../conversation/images.svelte.ts";
import { conversations } from "../sidebar/list.svelte.ts";
import { Batches, Body, type Unsent } from "./batches.ts";
import { elementsIn, exportIn, type Export } from "./export-file.ts";
import { filling, type ImageLimits } from "./filling.ts";
import { ZipFault } from "./zip.ts";

/** Why a conversation did not come: a reason of this page's own, or a sentence of the server's. */
export interface LeftOut {
  readonly title: string | null;
  readonly why: Unsent["why"] | ZipFault["kind"] | null;
  readonly sentence: string;
}

export type End = "done" | "cancelled" | "failed" | "notMeant" | "empty";

const TRIES = 5;
/** What the server says of a body that it cannot read, or that is too long for it. */
const UNREADABLE: ReadonlySet<number> = new Set([400, 413]);
const REFRESH_MS = 2_000;
/** So many of what was left out are named. */
const MOST_NAMED = 200;

/** The longest body that the server takes, and what a question may show. */
export interface Limits extends ImageLimits {
  readonly bodyBytes: number;
}

const none = { added: 0, restored: 0, changed: 0, same: 0, empty: 0, images: 0 };

export class Bringing {
  file = $state("");
  isRunning = $state(false);
  end = $state<End | null>(null);
  failure = $state.raw<ApiFailure | null>(null);
  /** Of the file, from 0 to 1. */
  share = $state(0);
  counts = $state({ ...none });
  /** So many images were made small, on their way to the server. */
  imagesMade = $state(0);
  leftOut = $state.raw<readonly LeftOut[]>([]);
  leftOutCount = $state(0);
  lost = $state<Record<string, number>>({});
  #stop = new AbortController();
  #refreshed = 0;

  get total(): number {
    const { added, restored, changed, same, empty } = this.counts;
    return added + restored + changed + same + empty + this.leftOutCount;
  }

  cancel(): void {
    this.#stop.abort();
  }

  /** Bring what is in a file. */
  async bring(file: File, limits: Limits): Promise<void> {
    if (this.isRunning) return;
    this.#stop = new AbortController();
    [this.file, this.isRunning, this.end, this.failure, this.share] = [file.name, true, null, null, 0];
    [this.counts, this.imagesMade, this.leftOut, this.leftOutCount, this.lost] = [{ ...none }, 0, [], 0, {}];
    try {
      this.end = await this.#all(await exportIn(file), limits);
    } catch (error) {
      if (isAbort(error)) this.end = "cancelled";
      else if (error instanceof ApiFailure) [this.end, this.failure] = ["failed", error];
      else if (error instanceof ZipFault) {
        this.#note({ title: null, why: error.kind, sentence: "" });
        this.end = "done";
      } else throw error;
    } finally {
      this.isRunning = false;
      void conversations.refresh();
    }
  }

  async #all({ shards, images }: Export, limits: Limits): Promise<End> {
    if (shards.length === 0) return "notMeant";
    const size = shards.reduce((sum, shard) => sum + shard.size, 0);
    const fill = filling(images, limits, this.#stop.signal, () => (this.imagesMade += 1), loadImages);
    const batches = new Batches(limits.bodyBytes, fill);
    let done = 0;
    for (const shard of shards) {
      try {
        for await (const element of elementsIn(shard, this.#stop.signal)) {
          for await (const found of batches.add(element)) {
            if (found instanceof Body) await this.#send(found);
            else this.#note({ title: found.title ?? (shard.name || null), why: found.why, sentence: "" });
          }
          // Once its images are done too: they are what takes long.
          done += element.length;
          this.share = Math.min(1, done / Math.max(1, size));
        }
      } catch (error) {
        if (!(error instanceof ZipFault)) throw error;
        this.#note({ title: shard.name || null, why: error.kind, sentence: "" });
      }
    }
    const rest = batches.rest();
    if (rest) await this.#send(rest);
    return this.total === 0 ? "empty" : "done";
  }

  /** Send some; what fails for the moment is tried again. */
  async #send(body: Body): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        this.#take(await importConversations(body.content, this.#stop.signal));
        break;
      } catch (error) {
        if (!(error instanceof ApiFailure)) throw error;
        if (UNREADABLE.has(error.status)) return await this.#oneByOne(body, error);
        if (!error.passes || error.isSignedOut || attempt >= TRIES) throw error;
        await pause(Math.max(error.retryAfter ?? 0, 2 ** (attempt - 1)) * 1000, this.#stop.signal);
      }
    }
    if (Date.now() - this.#refreshed > REFRESH_MS) {
      this.#refreshed = Date.now();
      void conversations.refresh();
    }
  }

  /** One of them is why none was read: it is left out, and the others come. */
  async #oneByOne(body: Body, error: ApiFailure): Promise<void> {
    if (body.alone.length === 0) this.#note({ title: body.title, why: null, sentence: error.message });
    for (const one of body.alone) await this.#send(one);
  }

  #take(brought: Brought): void {
    const counts = { ...this.counts };
    for (const name of Object.keys(none) as (keyof typeof none)[]) counts[name] += brought[name];
    this.counts = counts;
    for (const [kind, count] of Object.entries(brought.not_brought)) this.lost[kind] = (this.lost[kind] ?? 0) + count;
    for (const { title, reason } of brought.left_out) this.#note({ title, why: null, sentence: reason });
  }

  #note(leftOut: LeftOut): void {
    this.leftOutCount += 1;
    if (this.leftOut.length < MOST_NAMED) this.leftOut = [...this.leftOut, leftOut];
  }
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const left = (): void => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", left);
      resolve();
    }, milliseconds);
    signal.addEventListener("abort", left, { once: true });
  });
}

const loadImages = () => imagesPart.load().catch((error: unknown) => Promise.reject(networkFailure(error)));

export const bringing = new Bringing();
