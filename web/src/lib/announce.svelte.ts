/**
 * What screen readers are told, once: starts, ends and faults, never words as they stream; and the notes, which come and
 * go in a place that tells nothing itself, since what is uncovered there has been told already.
 */

/** After what comes with it, as a dialog that closes: it would be heard in a place that is gone. */
const SOON_MS = 100;

class Announcer {
  text = $state("");
  #soon: ReturnType<typeof setTimeout> | undefined;

  say(text: string): void {
    clearTimeout(this.#soon);
    // The same sentence twice must still be a change.
    this.#soon = setTimeout(() => (this.text = this.text === text ? `${text}\u00a0` : text), SOON_MS);
  }

  hush(): void {
    this.text = "";
  }
}

export const announcer = new Announcer();
export const noteAnnouncer = new Announcer();

/** Where it is told: in the page, and in each dialog, beside which nothing is heard. What is told stays in its place. */
class Places {
  /** The one that is heard. */
  last = $state.raw<Element | null>(null);
  readonly #open: Element[] = [];

  readonly attach = (place: Element): (() => void) => {
    this.#open.push(place);
    this.#changed();
    return () => {
      this.#open.splice(this.#open.indexOf(place), 1);
      this.#changed();
    };
  };

  #changed(): void {
    announcer.hush();
    noteAnnouncer.hush();
    this.last = this.#open.at(-1) ?? null;
  }
}

export const places = new Places();
