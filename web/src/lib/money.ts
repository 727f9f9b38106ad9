/** Money as people read it. It travels as whole micro-dollars and is never calculated with in another form. */

export const MICRO = 1_000_000;
const CENT = 10_000;
/** What is less is only said to be less. */
const LEAST = 100;

/** Below a dollar there is something to be seen behind the cents: a question costs less than one. */
export function writeMoney(micro: number, locale: string, under: (amount: string) => string): string {
  if (micro > 0 && micro < LEAST) return under(dollars(LEAST, locale, 4));
  return dollars(micro, locale, Math.abs(micro) < MICRO && micro % CENT !== 0 ? 4 : 2);
}

function dollars(micro: number, locale: string, digits: number): string {
  const format = new Intl.NumberFormat(locale, {
    style: "currency",
    currency: "USD",
    currencyDisplay: "narrowSymbol",
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
  return format.format(micro / MICRO);
}

const DOLLARS = /^\$?\s*(\d{1,7})(?:[.,](\d{1,6}))?$/;

/** Read dollars as somebody writes them: micro-dollars, null where nothing is written, NaN where it cannot be read. */
export function readMoney(text: string): number | null {
  const written = text.trim();
  if (written === "") return null;
  const found = DOLLARS.exec(written);
  // A thousand with a comma must not become a dollar.
  if (!found || /,\d{3}$/.test(written)) return NaN;
  return Number(found[1]) * MICRO + Number((found[2] ?? "").padEnd(6, "0"));
}
