/** How long a question may be. */
import { identity } from "../sign-in/identity.svelte.ts";

export const mostCharacters = (): number => identity.me?.limits.message_characters ?? 200_000;

/** How many characters are too many. */
export function charactersOver(text: string): number {
  const most = mostCharacters();
  return text.length > most ? Math.max(0, [...text].length - most) : 0;
}
