/** How a person is called on the page. Pure. */

interface Person {
  readonly id: string;
  readonly name: string;
  readonly login?: string | null | undefined;
  readonly email?: string | null | undefined;
}

export function nameOf(person: Person): string {
  return person.name.trim() || (person.login ?? person.email ?? person.id);
}

/** The first letter as one sees it: a syllable, or an emoji of several characters, stays whole. */
export function initialOf(name: string): string {
  const [first] = new Intl.Segmenter().segment(name);
  return (first?.segment ?? "").toLocaleUpperCase();
}
