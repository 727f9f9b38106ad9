/** All that only images need, fetched with the first of them. */
import { sweep } from "./kept.ts";

export { default as ShownImage } from "./ShownImage.svelte";
export { default as Thumbnails } from "./Thumbnails.svelte";
export { kindOf } from "./kinds.ts";
export { letGo } from "./kept.ts";
export { QuestionImages } from "./question-images.svelte.ts";
export { takeIn } from "./taking-in.ts";
export { shrink } from "./shrink.ts";
export { withData } from "./sending.ts";

void sweep(Date.now());
