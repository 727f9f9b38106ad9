/** Printing all of a conversation: what is not loaded is fetched first, and all of it drawn. */
import { tick } from "svelte";
import { ApiFailure } from "../api/failure.ts";
import { printingMessages } from "../i18n/rare/catalogue.ts";
import { toasts } from "../lib/toasts.svelte.ts";
import { drawAll } from "../lib/when-near.ts";
import { current } from "./current.svelte.ts";
import type { Drawn } from "./drawn.svelte.ts";
import { images } from "./images.svelte.ts";
import { markdown } from "./markdown-engine.svelte.ts";
import type { OpenConversation } from "./open.svelte.ts";

/** After this a reader wonders whether anything goes on. */
const NOTICED_MS = 500;
/** Colours, formulas and images that have not come by then, will not. */
const DRAWING_MS = 15_000;

/** Print what is open, with all that can be had of it; the paper itself says where something is missing. */
export async function printWhole(open: OpenConversation, drawn: Drawn): Promise<void> {
  const noticed = setTimeout(() => toasts.show(printingMessages.get().gathering), NOTICED_MS);
  try {
    await gather(open);
    drawn.all();
    await Promise.all([markdown.load(), tick()]);
    await tick(); // what came with the engine
    drawAll();
    await Promise.race([Promise.all([markdown.drawn(), imagesLoaded()]), new Promise((resolve) => setTimeout(resolve, DRAWING_MS))]);
  } finally {
    clearTimeout(noticed);
  }
  // Who went elsewhere meanwhile wants no paper of that.
  if (current.open === open) print();
}

async function gather(open: OpenConversation): Promise<void> {
  if (open.state === "loading") await open.load();
  try {
    while (open.hasEarlier && (await open.loadEarlier()));
  } catch (error) {
    if (!(error instanceof ApiFailure)) throw error;
  }
}

/** Those that are far from what is seen are fetched only when they are wanted. One that is not there is not waited for. */
async function imagesLoaded(): Promise<void> {
  await images.load().catch(() => undefined);
  await tick();
  const all = [...document.querySelectorAll<HTMLImageElement>(".log img")];
  for (const image of all) image.loading = "eager";
  await Promise.all(all.map((image) => image.decode().catch(() => undefined)));
}
