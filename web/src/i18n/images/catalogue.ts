/** What is said of images; it comes with the first of them. */
import { createI18n, type Components } from "@nanostores/i18n";
import { knowRare } from "../failure.ts";
import { locale, type Locale } from "../locale.ts";
import * as base from "./en.ts";
import { ko } from "./ko.ts";

const cache: Record<Locale, Components> = { en: {}, ko: ko as unknown as Components };
const i18n = createI18n(locale, { baseLocale: "en", cache, get: () => Promise.resolve({}) });
const imageErrorMessages = i18n("imageErrors", base.imageErrors);
export const imageMessages = i18n("images", base.images);

// Somebody has to listen, or the stores would not follow the language.
for (const messages of [imageErrorMessages, imageMessages]) messages.listen(() => undefined);
knowRare(() => imageErrorMessages.get());
