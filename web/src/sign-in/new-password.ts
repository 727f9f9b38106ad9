/** What is asked of a new password before the server is; all else, it says itself. Pure. */

/** As the server counts them: signs, not the halves that JavaScript counts. */
const LEAST_CHARACTERS = 12;

export const isLongEnough = (password: string): boolean => [...password.normalize("NFKC")].length >= LEAST_CHARACTERS;
