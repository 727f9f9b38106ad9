/** The messages of the screens that are for admins. */
import { createI18n, type Components } from "@nanostores/i18n";
import { locale, type Locale } from "../locale.ts";
import "../rare/catalogue.ts";
import * as base from "./en.ts";
import { ko } from "./ko.ts";

const cache: Record<Locale, Components> = { en: {}, ko: ko as unknown as Components };
const i18n = createI18n(locale, { baseLocale: "en", cache, get: () => Promise.resolve({}) });

export const peopleMessages = i18n("people", base.people);
export const groupsMessages = i18n("groups", base.groups);
export const providersMessages = i18n("providers", base.providers);
export const installationMessages = i18n("installation", base.installation);
export const auditMessages = i18n("audit", base.audit);
export const actMessages = i18n("acts", base.acts);
export const factMessages = i18n("facts", base.facts);
export const factValueMessages = i18n("factValues", base.factValues);
