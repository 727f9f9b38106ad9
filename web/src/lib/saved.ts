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

/** What stands before the names of what is a person's own; empty where nobody signs in, null while nobody may write. */
let own: string | null = "";

const prefixOf = (person: string): string => `of.${person}.`;

/** Say whose browser this is now: a person's id, or null in a home where nobody signs in. */
export function belongTo(person: string | null): void {
  own = person === null ? "" : prefixOf(person);
}

/** What a person has written: another one in the same browser never sees it. */
export function readOwn(name: string): string | null {
  return own === null ? null : readSaved(own + name);
}

/** How a database of what a person has written is called; null while nobody may write. */
export const ownDatabase = (): string | null => (own === null ? null : databaseOf(own));

const databaseOf = (prefix: string): string => PREFIX + prefix + "images";

export function saveOwn(name: string, value: string | null): void {
  if (own !== null) save(own + name, value);
}

/** Remove all that a person has written; nothing more of theirs is kept until somebody else is known. */
export function forgetOwn(person: string): void {
  own = null;
  try {
    const prefix = PREFIX + prefixOf(person);
    for (const name of Object.keys(localStorage)) if (name.startsWith(prefix)) localStorage.removeItem(name);
    indexedDB.deleteDatabase(databaseOf(prefixOf(person)));
  } catch {
    // Nothing was kept here then.
  }
}
