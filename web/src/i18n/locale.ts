/** Which language the page speaks: the reader's choice, else the browser's. */
import { browser, localeFrom } from "@nanostores/i18n";
import { atom } from "nanostores";
import { readSaved, save } from "../lib/saved.ts";

export const locales = ["en", "ko"] as const;
export type Locale = (typeof locales)[number];

/** Each language by its own name. */
export const localeNames: Record<Locale, string> = { en: "English", ko: "한국어" };

function savedLocale(): Locale | undefined {
  const saved = readSaved("locale");
  return locales.find((locale) => locale === saved);
}

export const chosenLocale = atom<Locale | undefined>(savedLocale());

export const locale = localeFrom(chosenLocale, browser({ available: locales, fallback: "en" }));

export function chooseLocale(choice: Locale | undefined): void {
  save("locale", choice ?? null);
  chosenLocale.set(choice);
}
