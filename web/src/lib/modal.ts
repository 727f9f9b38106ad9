/** Something is open over the page that keeps all else out: a dialog of the browser's own. */
import { overlays } from "./overlays.ts";

/** Open a modal that traps focus, closes on Escape and by Back, and gives focus back. Returns what closes it. */
export function openModal(dialog: HTMLDialogElement, onClose: () => void): () => void {
  const closed = (): void => onClose();
  const before = document.activeElement;
  dialog.addEventListener("close", closed);
  dialog.showModal();
  const gone = overlays.add(closed);
  return () => {
    gone();
    // Its close event comes later, when another dialog may have taken its place.
    dialog.removeEventListener("close", closed);
    dialog.close();
    // Closed from within, it is gone before the browser could give the focus back.
    if (document.activeElement === document.body && before instanceof HTMLElement) before.focus();
  };
}
