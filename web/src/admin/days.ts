/** A number of days as somebody writes it: null where nothing is written, NaN where it cannot be read. Pure. */

const MOST = 36_500;

export function readDays(text: string): number | null {
  const written = text.trim();
  if (written === "") return null;
  const days = /^\d{1,6}$/.test(written) ? Number(written) : NaN;
  return days >= 1 && days <= MOST ? days : NaN;
}
