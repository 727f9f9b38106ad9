/** What an event of the audit log says, in words. Pure. */
import type { AuditEvent } from "../api/admin-wire.ts";
import type { actMessages, factMessages, factValueMessages } from "../i18n/admin/catalogue.ts";

/** `session.begun` is told by the message `session_begun`; an act that has none is shown by its own name. */
export function actOf(event: AuditEvent, acts: ReturnType<typeof actMessages.get>): string {
  const name = event.action.replace(".", "_");
  const known: unknown = Object.hasOwn(acts, name) ? acts[name as keyof typeof acts] : null;
  return typeof known === "string" ? known : event.action;
}

/** Facts that are the usual where they are not so. */
const UNSAID: ReadonlySet<string> = new Set(["disabled", "second_factor"]);

/** A key by its name and the beginning of its text; events from before those were noted have its id alone. */
function withNamedKey(details: AuditEvent["details"]): AuditEvent["details"] {
  const { name, prefix, ...others } = details;
  return prefix === undefined ? details : { ...others, key: `${String(name)} (${String(prefix)}…)` };
}

/** Short facts: `by password`, `role admin`, `admins may read: no`. One without words of its own is shown by the log's own name. */
export function factsOf(
  { details }: AuditEvent,
  names: ReturnType<typeof factMessages.get>,
  values: ReturnType<typeof factValueMessages.get>,
): string {
  const word = (key: string, texts: object): string => {
    const known: unknown = Object.hasOwn(texts, key) ? texts[key as keyof typeof texts] : null;
    return typeof known === "string" ? known : key.replaceAll("_", " ");
  };
  return Object.entries(withNamedKey(details))
    .filter(([, value]) => value !== null && value !== "")
    .filter(([name, value]) => value !== false || !UNSAID.has(name))
    .map(([name, value]) => {
      if (value === false) return names.isNot({ name: word(name, names) });
      // What people typed is no word of ours.
      const text = name === "by" || name === "kind" || name === "role" ? word(String(value), values) : String(value);
      return value === true ? word(name, names) : names.fact({ name: word(name, names), value: text });
    })
    .join(", ");
}
