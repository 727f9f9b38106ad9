/** The message catalogue: English in en.ts, and for every key of it one in each other language. */
import { createI18n, formatter, type Components } from "@nanostores/i18n";
import * as base from "./en.ts";
import { ko } from "./ko.ts";
import { locale, type Locale } from "./locale.ts";

// The library's type does not know that plural forms may stand in a cache; its own loader puts them there.
const cache: Record<Locale, Components> = { en: {}, ko: ko as unknown as Components };

const i18n = createI18n(locale, {
  baseLocale: "en",
  cache,
  // Both languages are in the page already; there is never anything to fetch.
  get: () => Promise.resolve({}),
});

export const format = formatter(locale);
export const appMessages = i18n("app", base.app);
export const signInMessages = i18n("signIn", base.signIn);
export const passwordMessages = i18n("password", base.password);
export const signInErrorMessages = i18n("signInErrors", base.signInErrors);
export const sidebarMessages = i18n("sidebar", base.sidebar);
export const spendingMessages = i18n("spending", base.spending);
export const budgetMessages = i18n("budget", base.budget);
export const conversationMessages = i18n("conversation", base.conversation);
export const composerMessages = i18n("composer", base.composer);
export const connectingMessages = i18n("connecting", base.connecting);
export const problemMessages = i18n("problems", base.problems);
export const errorMessages = i18n("errors", base.errors);
