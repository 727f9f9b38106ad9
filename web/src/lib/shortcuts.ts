/** The page's shortcuts, in one list: what runs them and what the help dialog shows. */
import { isComposing } from "./ime.ts";

export type ShortcutName = "fresh" | "search" | "composer" | "sidebar" | "help" | "stop" | "print";

interface Shortcut {
  readonly name: ShortcutName;
  readonly key: string;
  /** Control, or Command on Apple's. */
  readonly ctrl?: true;
  readonly shift?: true;
}

export const shortcuts: readonly Shortcut[] = [
  { name: "fresh", key: "o", ctrl: true, shift: true },
  { name: "search", key: "k", ctrl: true },
  { name: "composer", key: "Escape", shift: true },
  { name: "stop", key: "Escape" },
  { name: "sidebar", key: "s", ctrl: true, shift: true },
  { name: "print", key: "p", ctrl: true },
  { name: "help", key: "/", ctrl: true },
];

const isApple = /Mac|iPhone|iPad/.test(globalThis.navigator?.platform ?? "");

/** The keys of a shortcut as they are written on the reader's keyboard. */
export function keysOf({ ctrl, shift, key }: Omit<Shortcut, "name">): string[] {
  const control = isApple ? "⌘" : "Ctrl";
  const named = key === "Escape" ? "Esc" : key.length > 1 ? key : key.toUpperCase();
  return [...(ctrl ? [control] : []), ...(shift ? [isApple ? "⇧" : "Shift"] : []), named];
}

export function shortcutFor(event: KeyboardEvent): ShortcutName | null {
  if (isComposing(event) || event.altKey) return null;
  const ctrl = event.ctrlKey || event.metaKey;
  const found = shortcuts.find(
    (shortcut) =>
      (shortcut.ctrl ?? false) === ctrl &&
      (shortcut.shift ?? false) === event.shiftKey &&
      // With a Korean layout the key is a Hangul letter; the code says which key it is.
      (shortcut.key === event.key.toLowerCase() || shortcut.key === event.key || event.code === `Key${shortcut.key.toUpperCase()}`),
  );
  return found?.name ?? null;
}
