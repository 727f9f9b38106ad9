/** The messages of the screens that are fetched when they are opened. */
import { createI18n, type Components } from "@nanostores/i18n";
import { locale, type Locale } from "../locale.ts";
import "../rare/catalogue.ts";
import * as base from "./en.ts";
import { ko } from "./ko.ts";

const cache: Record<Locale, Components> = { en: {}, ko: ko as unknown as Components };
const i18n = createI18n(locale, { baseLocale: "en", cache, get: () => Promise.resolve({}) });

export const usageMessages = i18n("usage", base.usage);
export const keysMessages = i18n("keys", base.keys);
export const linkMessages = i18n("link", base.link);
export const instructionsMessages = i18n("instructions", base.instructions);
export const bringingMessages = i18n("bringing", base.bringing);
export const accountMessages = i18n("account", base.account);
