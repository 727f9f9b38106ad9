/**
 * Short notes at the edge of the page, each with at most one thing to do. One is seen at a time, the newest, so that they
 * cover as little as can be; what it covers is seen again after it, for all of its time.
 */
import { noteAnnouncer } from "./announce.svelte.ts";

export interface Toast {
  readonly id: number;
  readonly text: string;
  readonly action: { readonly label: string; readonly run: () => void } | null;
}

const SHOWN_FOR = 8_000;

class Toasts {
  shown = $state.raw<readonly Toast[]>([]);
  #next = 0;
  readonly #timers = new Map<number, ReturnType<typeof setTimeout>>();

  show(text: string, action: Toast["action"] = null): void {
    const toast = { id: this.#next++, text, action };
    for (const { id } of this.seen) this.pause(id);
    this.shown = [...this.shown.slice(-2), toast];
    this.resume(toast.id);
    noteAnnouncer.say(action === null ? text : `${text} ${action.label}`);
  }

  get seen(): readonly Toast[] {
    return this.shown.slice(-1);
  }

  dismiss(id: number): void {
    this.pause(id);
    this.shown = this.shown.filter((toast) => toast.id !== id);
    noteAnnouncer.hush();
    for (const { id } of this.seen) this.resume(id);
  }

  /** While the reader is at it, it stays. */
  pause(id: number): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
  }

  resume(id: number): void {
    this.pause(id);
    if (!this.seen.some((toast) => toast.id === id)) return;
    this.#timers.set(id, setTimeout(() => this.dismiss(id), SHOWN_FOR));
  }
}

export const toasts = new Toasts();
