/** From when on a question shows only how it begins. One a little longer than what is shown then is not worth a press. */

const LINES = 24;
const CHARACTERS = 2_400;

export function isLong(text: string): boolean {
  if (text.length > CHARACTERS) return true;
  let lines = 1;
  for (let at = text.indexOf("\n"); at >= 0 && lines <= LINES; at = text.indexOf("\n", at + 1)) lines += 1;
  return lines > LINES;
}
