/** Show images large, over the page, until they are closed. */
import { mount, unmount } from "svelte";
import type { ImagePart } from "../api/wire.ts";
import LargeImages from "./LargeImages.svelte";

export function showLarge(list: readonly ImagePart[], index: number, conversation: string | null): void {
  const shown = mount(LargeImages, { target: document.body, props: { list, first: index, conversation, onClose: () => void unmount(shown) } });
}
