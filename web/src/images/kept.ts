/**
 * The images of questions that are not sent yet, kept in this browser until they are: in a database of the person's own,
 * and where a browser gives none, as some do in a private window, in this tab.
 */
import { ownDatabase, readOwn } from "../lib/saved.ts";

export interface KeptImage {
  readonly image: string;
  /** Its file's name. */
  readonly name: string;
  /** Its bytes as a data: URL. */
  readonly url: string;
  readonly size: number;
  /** Since when, in ms since 1970. */
  readonly kept: number;
}

const STORE = "images";
const DAY = 86_400_000;
/** A draft that nobody has gone on with for so long loses its images. */
const MOST_AGE = 30 * DAY;

const here = new Map<string, KeptImage>();
let opening: Promise<IDBDatabase | null> | null = null;

const done = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("the browser's database failed"));
  });

async function open(): Promise<IDBDatabase | null> {
  const name = ownDatabase();
  if (name === null) return null;
  try {
    const request = indexedDB.open(name, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "image" });
    const database = await done(request);
    // Whoever signs out, in any tab, deletes it.
    database.onversionchange = () => forgetDatabase(database);
    database.onclose = () => (opening = null);
    return database;
  } catch {
    return null;
  }
}

function forgetDatabase(database: IDBDatabase): void {
  database.close();
  opening = null;
}

/** Do something with the store; null where there is none or it fails, as one that is full does. */
async function within<T>(mode: IDBTransactionMode, act: (store: IDBObjectStore) => IDBRequest<T>): Promise<T | null> {
  try {
    opening ??= open();
    const database = await opening;
    return database && (await done(act(database.transaction(STORE, mode).objectStore(STORE))));
  } catch {
    return null;
  }
}

export async function keep(image: KeptImage): Promise<void> {
  here.set(image.image, image);
  await within("readwrite", (store) => store.put(image));
}

/** An image that is kept; null where the server has it, or nobody. */
export async function kept(id: string): Promise<KeptImage | null> {
  const known = here.get(id) ?? (await within<KeptImage | undefined>("readonly", (store) => store.get(id))) ?? null;
  if (known) here.set(id, known);
  return known;
}

/** The same, of what this tab has had already. */
export const keptHere = (id: string): KeptImage | null => here.get(id) ?? null;

/** They were sent, or taken out. */
export async function letGo(images: readonly { readonly image: string }[]): Promise<void> {
  for (const { image } of images) {
    here.delete(image);
    await within("readwrite", (store) => store.delete(image));
  }
}

/** Let go of those that are too old, and of those that no draft and no waiting turn names any more. */
export async function sweep(now: number): Promise<void> {
  const images = (await within<KeptImage[]>("readonly", (store) => store.getAll())) ?? [];
  if (images.length === 0) return;
  const named = Object.values(localStorage).join("\n");
  const waiting = readOwn("outbox") ?? "";
  const past = images.filter(({ image, kept: since }) => {
    if (waiting.includes(image)) return false;
    // One that was chosen in another tab just now is not named yet.
    return now - since > (named.includes(image) ? MOST_AGE : DAY);
  });
  await letGo(past);
}
