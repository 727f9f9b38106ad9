/** What an event of the audit log says, in words. Pure. */
import type { AuditEvent } from "../api/admin-wire.ts";
import type { actMessages } from "../i18n/admin/catalogue.ts";

/** `session.begun` is told by the message `session_begun`; an act that has none is shown by its own name. */
export function actOf(event: AuditEvent, acts: ReturnType<typeof actMessages.get>): string {
  const name = event.action.replace(".", "_");
  const known: unknown = Object.hasOwn(acts, name) ? acts[name as keyof typeof acts] : null;
  return typeof known === "string" ? known : event.action;
}

/** Short facts: `by password`, `role admin`. */
export function factsOf({ details }: AuditEvent): string {
  return Object.entries(details)
    .filter(([, value]) => value !== null && value !== "" && value !== false)
    .map(([name, value]) => (value === true ? name : `${name} ${String(value)}`).replaceAll("_", " "))
    .join(", ");
}
