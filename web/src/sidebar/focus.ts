/** Where the focus goes in the list of conversations when what has it goes. */
import { tick } from "svelte";
import { addressOf } from "../lib/route.svelte.ts";

/** As a keyboard's is, and a pointer's is not. */
export function focusIsSeen(): boolean {
  return document.activeElement?.matches(":focus-visible") ?? false;
}

/**
 * Give the focus to a row that has moved, which is another one, or that is back: it went with the old one, or with the
 * toast that was pressed. The list goes along with a focus that is seen; under a pointer it stays where it is.
 */
export async function keepFocus(list: HTMLElement | undefined, id: string, isSeen: boolean): Promise<void> {
  await tick();
  if (document.activeElement === document.body) (rowOf(list, id) ?? besideOf(list))?.focus({ preventScroll: !isSeen });
}

function rowOf(list: HTMLElement | undefined, id: string): HTMLElement | undefined {
  return linksOf(list).find((link) => link.hash === addressOf(id));
}

/** The row below this one, or above it where there is none. */
export function neighbourOf(list: HTMLElement, id: string): HTMLElement | undefined {
  const links = linksOf(list);
  const at = links.findIndex((link) => link.hash === addressOf(id));
  return links[at + 1] ?? links[at - 1];
}

/** What has the focus where no row can: nothing for which a keyboard would come up under a finger. */
export function besideOf(list: HTMLElement | undefined): HTMLElement | null | undefined {
  return list?.parentElement?.querySelector<HTMLElement>(matchMedia("(pointer: coarse)").matches ? ".fresh" : "input");
}

function linksOf(list: HTMLElement | undefined): HTMLAnchorElement[] {
  return [...(list?.querySelectorAll("a") ?? [])];
}
