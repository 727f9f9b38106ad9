/** Where the focus goes in the list of conversations when what has it goes. */
import { addressOf } from "../lib/route.svelte.ts";

/** A row that has moved is another one, and a toast that was pressed is gone: the focus went with them. */
export function focusIsLost(): boolean {
  return document.activeElement === document.body;
}

export function rowOf(list: HTMLElement | undefined, id: string): HTMLElement | undefined {
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
