/** What is seldom said, and the sentences for errors that a conversation never meets; they come with the screens, and with what else says it. */
import { createI18n, type Components } from "@nanostores/i18n";
import { knowRare } from "../failure.ts";
import { locale, type Locale } from "../locale.ts";
import * as base from "./en.ts";
import { ko } from "./ko.ts";

const cache: Record<Locale, Components> = { en: {}, ko: ko as unknown as Components };
const i18n = createI18n(locale, { baseLocale: "en", cache, get: () => Promise.resolve({}) });
export const rareErrorMessages = i18n("rareErrors", base.rareErrors);
export const lostMessages = i18n("lost", base.lost);
export const printingMessages = i18n("printing", base.printing);
export const fileMessages = i18n("files", base.files);

// Somebody has to listen, or the stores would not follow the language.
for (const messages of [rareErrorMessages, printingMessages, fileMessages]) messages.listen(() => undefined);
knowRare(() => rareErrorMessages.get());
