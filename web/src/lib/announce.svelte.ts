/** What screen readers are told: starts, ends and faults, never words as they stream. */

class Announcer {
  text = $state("");

  say(text: string): void {
    // The same sentence twice must still be a change.
    this.text = this.text === text ? `${text}\u00a0` : text;
  }
}

export const announcer = new Announcer();
