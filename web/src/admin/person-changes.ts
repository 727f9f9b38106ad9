/** What an admin wrote into the form about a person, as what it changes. Pure. */
import type { PersonChanges } from "../api/admin.ts";
import type { Person, Role } from "../api/admin-wire.ts";

export interface PersonForm {
  readonly name: string;
  readonly email: string;
  readonly role: Role;
  readonly groups: readonly string[];
}

/** What stays as it is is left out: somebody else may be changing it. */
export function changesOf(person: Person, form: PersonForm): PersonChanges {
  const email = form.email.trim() || null;
  const isSame = person.groups.length === form.groups.length && person.groups.every((group) => form.groups.includes(group));
  return {
    ...(form.name.trim() !== person.name && { name: form.name.trim() }),
    ...(email !== person.email && { email }),
    ...(form.role !== person.role && { role: form.role }),
    ...(!isSame && { groups: form.groups }),
  };
}
