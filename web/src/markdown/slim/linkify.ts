// Stands in for `linkify-it`: GFM's literal autolinks and nothing vaguer. A host is ASCII here, so that a Korean
// particle written right after an address ("https://example.com에서") stays outside of the link.

export interface Link {
  schema: string;
  index: number;
  lastIndex: number;
  raw: string;
  text: string;
  url: string;
}

const ADDRESS =
  /(?<![\w/@.-])(?:https?:\/\/|www\.)[a-z0-9-]+(?:\.[a-z0-9-]+)*(?::\d{1,5})?(?:[/?#][^\s<>"`\u3000-\u3003\u3008-\u3011]*)?/gi;
const AT_START = new RegExp(`^${ADDRESS.source}`, "i");

function occurrences(text: string, char: string): number {
  let count = 0;
  for (const each of text) if (each === char) count += 1;
  return count;
}

/** What GFM leaves out of an address: trailing punctuation, emphasis marks, and brackets that were not opened in it. */
function trimmed(address: string): string {
  let end = address.length;
  for (;;) {
    const last = address.charAt(end - 1);
    const body = address.slice(0, end);
    if (/[?!.,:;*_~'’”]/.test(last)) end -= 1;
    else if (last === ")" && occurrences(body, ")") > occurrences(body, "(")) end -= 1;
    else if (last === "]" && occurrences(body, "]") > occurrences(body, "[")) end -= 1;
    else return body;
  }
}

function link(text: string, index: number): Link | null {
  const address = trimmed(text.slice(0, 2048));
  const named = /^https?:\/\//i.exec(address)?.[0] ?? "";
  if (address.length <= Math.max(named.length, 4) || (named === "" && !address.includes(".", 4))) return null;
  const url = named === "" ? `http://${address}` : address;
  return { schema: named.slice(0, -2), index, lastIndex: index + address.length, raw: address, text: address, url };
}

export class LinkifyIt {
  pretest(text: string): boolean {
    return text.includes("://") || /www\./i.test(text);
  }

  test(text: string): boolean {
    return this.pretest(text) && this.match(text) !== null;
  }

  match(text: string): Link[] | null {
    const links: Link[] = [];
    for (const found of text.matchAll(ADDRESS)) {
      const each = link(found[0], found.index);
      if (each !== null) links.push(each);
    }
    return links.length > 0 ? links : null;
  }

  matchAtStart(text: string): Link | null {
    const found = AT_START.exec(text.slice(0, 2048));
    return found === null ? null : link(found[0], 0);
  }
}
