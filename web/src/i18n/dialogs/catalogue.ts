/** The messages of the dialogs of the page. */
import { createI18n, type Components } from "@nanostores/i18n";
import { locale, type Locale } from "../locale.ts";
import * as base from "./en.ts";
import { ko } from "./ko.ts";

const cache: Record<Locale, Components> = { en: {}, ko: ko as unknown as Components };
const i18n = createI18n(locale, { baseLocale: "en", cache, get: () => Promise.resolve({}) });

export const settingsMessages = i18n("settings", base.settings);
export const helpMessages = i18n("help", base.help);
