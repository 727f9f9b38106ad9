/** Which of the page's own dialogs is open; what shows them is fetched with the first. */
import { sidebarMessages } from "../i18n/catalogue.ts";
import { part } from "../lib/part.ts";
import { toasts } from "../lib/toasts.svelte.ts";
import type { default as PageDialog, PageDialogName } from "./PageDialog.svelte";

const fetched = part(() => import("./PageDialog.svelte"));

class OpenDialog {
  name = $state<PageDialogName | null>(null);
  /** What shows it, once it is here. */
  Shown = $state.raw<typeof PageDialog>();

  async open(name: PageDialogName): Promise<void> {
    const place = location.hash;
    try {
      this.Shown ??= (await fetched()).default;
      if (location.hash === place) this.name = name; // else the reader has gone elsewhere meanwhile
    } catch {
      toasts.show(sidebarMessages.get().screenFailed);
    }
  }

  close(): void {
    this.name = null;
  }
}

export const dialog = new OpenDialog();
