/** The images in the ZIP of an export, found by what the conversations call them. */
import { isAbort } from "../api/failure.ts";
import { bounded } from "./reading.ts";
import { type Member, readMember } from "./zip.ts";

/** What ChatGPT calls a file: `file-AbC`, and newer ones `file_0000abc`. */
const ASSET = /^file[-_][A-Za-z0-9_-]{1,100}$/;
/** How the name of its entry begins, in whatever folder it lies. */
const BASE = /^file[-_][^/]*$/;
/** What may follow in that name: `file-AbC-photo.png`, `file-AbC.dat`, `file_0000abc_photo.jpg`. */
const ENDS = ["-", ".", "_"];
/** A larger one is not read: it is in memory as a whole. */
const MOST_BYTES = 50_000_000;

interface Entry {
  readonly base: string;
  readonly member: Member;
}

export class ZippedImages {
  readonly #file: Blob;
  readonly #entries: readonly Entry[];

  constructor(file: Blob, members: readonly Member[]) {
    this.#file = file;
    this.#entries = members
      .map((member) => ({ base: member.name.slice(member.name.lastIndexOf("/") + 1), member }))
      .filter(({ base }) => BASE.test(base))
      .sort((a, b) => (a.base < b.base || (a.base === b.base && a.member.name < b.member.name) ? -1 : 1));
  }

  /** What is called so; null where there is no such file, or it is too large or cannot be read. Throws what `signal` was stopped with. */
  async read(name: string, signal: AbortSignal): Promise<Blob | null> {
    const member = ASSET.test(name) ? this.#find(name) : undefined;
    if (!member || member.unpacked > MOST_BYTES || member.packed > MOST_BYTES) return null;
    try {
      const pieces: Uint8Array<ArrayBuffer>[] = [];
      for await (const piece of bounded(await readMember(this.#file, member), signal, MOST_BYTES)) pieces.push(piece);
      return new Blob(pieces);
    } catch (error) {
      if (isAbort(error)) throw error;
      return null; // an image less is no reason to stop
    }
  }

  #find(name: string): Member | undefined {
    for (const end of ENDS) {
      const found = this.#entries[this.#firstFrom(name + end)];
      if (found?.base.startsWith(name + end)) return found.member;
    }
    return undefined;
  }

  /** Where the first entry is that comes at this text or after it. */
  #firstFrom(text: string): number {
    let [low, high] = [0, this.#entries.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#entries[middle] as Entry).base < text) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
