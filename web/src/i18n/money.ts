/** Money in the reader's language: `$money(1_500)` is "$0.0015". */
import { computed } from "nanostores";
import { writeMoney } from "../lib/money.ts";
import { spendingMessages } from "./catalogue.ts";
import { locale } from "./locale.ts";

export const money = computed(
  [locale, spendingMessages],
  (locale, { under }) =>
    (micro: number): string =>
      writeMoney(micro, locale, (amount) => under({ amount })),
);
