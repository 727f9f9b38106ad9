/** What is seldom said, and the sentences for errors that a conversation never meets; they come with the screens. */
import { createI18n, type Components } from "@nanostores/i18n";
import { knowRare } from "../failure.ts";
import { locale, type Locale } from "../locale.ts";
import * as base from "./en.ts";
import { ko } from "./ko.ts";

const cache: Record<Locale, Components> = { en: {}, ko: ko as unknown as Components };
const i18n = createI18n(locale, { baseLocale: "en", cache, get: () => Promise.resolve({}) });
const rareErrorMessages = i18n("rareErrors", base.rareErrors);
export const lostMessages = i18n("lost", base.lost);

// Somebody has to listen, or the store would not follow the language.
rareErrorMessages.listen(() => undefined);
knowRare(() => rareErrorMessages.get());
