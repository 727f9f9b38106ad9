/** Which language the page speaks: the reader's choice, else the browser's. */
import { localeFrom } from "@nanostores/i18n";
import { atom } from "nanostores";
import { readSaved, save } from "../lib/saved.ts";

export const locales = ["en", "ko"] as const;
export type Locale = (typeof locales)[number];

/** Each language by its own name. */
export const localeNames: Record<Locale, string> = { en: "English", ko: "한국어" };

const known = (name: string | null): Locale | undefined => locales.find((locale) => locale === name);

/** The first language of the browser's that we have; `ko-KR` is `ko` (the library's own way wants exact names). */
export function localeOf(languages: readonly string[]): Locale {
  for (const language of languages) {
    const locale = known(language.toLowerCase().split("-")[0] ?? "");
    if (locale) return locale;
  }
  return "en";
}

export const chosenLocale = atom<Locale | undefined>(known(readSaved("locale")));

export const locale = localeFrom<Locale>(chosenLocale, atom(localeOf(globalThis.navigator?.languages ?? [])));

export function chooseLocale(choice: string): void {
  const locale = known(choice);
  save("locale", locale ?? null);
  chosenLocale.set(locale);
}
