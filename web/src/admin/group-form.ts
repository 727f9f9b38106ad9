/** What an admin writes into the form of a group, read. Pure. */
import type { GroupWish } from "../api/admin.ts";
import type { Group } from "../api/admin-wire.ts";
import { MICRO, readMoney } from "../lib/money.ts";

export interface GroupForm {
  name: string;
  models: string;
  day: string;
  month: string;
  total: string;
  instructions: string;
  claim: string;
}

const LIMITS = ["day", "month", "total"] as const;

/** As `readMoney` reads it: 12500000 is "12.5". */
const written = (micro: number | null): string => (micro === null ? "" : String(micro / MICRO));

export function formOf(group: Group | null): GroupForm {
  if (group === null) return { name: "", models: "", day: "", month: "", total: "", instructions: "", claim: "" };
  const { name, models, day, month, total, instructions, claim } = group;
  return { name, models: models.join(" "), day: written(day), month: written(month), total: written(total), instructions, claim: claim ?? "" };
}

/** The wish, and the fields that cannot be read. */
export function readGroup(form: GroupForm): { readonly wish: GroupWish; readonly faults: readonly (keyof GroupForm)[] } {
  const money = Object.fromEntries(LIMITS.map((limit) => [limit, readMoney(form[limit])])) as Record<(typeof LIMITS)[number], number | null>;
  const faults: (keyof GroupForm)[] = LIMITS.filter((limit) => {
    const amount = money[limit];
    return amount !== null && !(amount > 0);
  });
  if (form.name.trim() === "") faults.unshift("name");
  return {
    wish: {
      name: form.name.trim(),
      models: form.models.split(/[\s,]+/).filter(Boolean),
      ...money,
      instructions: form.instructions.trim(),
      claim: form.claim.trim() || null,
    },
    faults,
  };
}
