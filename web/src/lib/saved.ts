/** Small things kept in this browser. Storage may be full, forbidden or hold anything, and the page works without. */

const PREFIX = "daehwa.";

export function readSaved(name: string): string | null {
  try {
    return localStorage.getItem(PREFIX + name);
  } catch {
    return null;
  }
}

export function save(name: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(PREFIX + name);
    else localStorage.setItem(PREFIX + name, value);
  } catch {
    // Nothing can be kept here; what is on the page stays on the page.
  }
}
