/**
 * The one rule for Enter in every input: never while an input method composes.
 *
 * `isComposing` alone is not enough: Safari ends the composition before it sends the keydown of the Enter that ended it
 * (then `keyCode` is 229), and some input methods report neither, so the composition events are watched as well.
 */
import type { Attachment } from "svelte/attachments";

const composing = new WeakSet<EventTarget>();

export function isComposing(event: KeyboardEvent): boolean {
  // `keyCode` is deprecated but the only thing that tells this case in Safari.
  return event.isComposing || event.keyCode === 229 || (event.target !== null && composing.has(event.target));
}

/** Watch an input's composition; put it on every input that asks `isEnter` or `isEscape`. */
export const watchComposition: Attachment<HTMLElement> = (element) => {
  const begin = (): void => void composing.add(element);
  const end = (): void => void composing.delete(element);
  element.addEventListener("compositionstart", begin);
  element.addEventListener("compositionend", end);
  element.addEventListener("blur", end);
  return () => {
    end();
    element.removeEventListener("compositionstart", begin);
    element.removeEventListener("compositionend", end);
    element.removeEventListener("blur", end);
  };
};

/** Enter that means "do it": no Shift (which breaks the line), no composition. */
export function isEnter(event: KeyboardEvent): boolean {
  return event.key === "Enter" && !event.shiftKey && !event.altKey && !isComposing(event);
}

/** Whether Enter sends what has several lines. Under fingers alone there is no Shift to break a line with: a button sends. */
export function enterSends(): boolean {
  return !matchMedia("(pointer: coarse)").matches || matchMedia("(any-pointer: fine), (any-hover: hover)").matches;
}

/** Enter that sends what has several lines; with Ctrl or ⌘ it always does. */
export function isSend(event: KeyboardEvent): boolean {
  return isEnter(event) && (event.ctrlKey || event.metaKey || enterSends());
}

/** Escape that means "leave": the first one during a composition belongs to the input method. */
export function isEscape(event: KeyboardEvent): boolean {
  return event.key === "Escape" && !isComposing(event);
}

/** Whether a text ends in a syllable that an input method has just begun: no word ends like this, and the next key makes it whole. */
export const isBegun = (text: string): boolean => /(?<![\u3131-\u318e])[\u3131-\u318e]$/.test(text);
