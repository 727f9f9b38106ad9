import { expect, test } from "vitest";
import { withoutMarks } from "../src/sidebar/plain.ts";

const plain = (text: string): string => withoutMarks([{ text, match: false }])[0]?.text ?? "";

test.each([
  ["## A heading\n\nand **bold**, *slanted* words", "A heading\n\nand bold, slanted words"],
  ["**대화**는 `daehwa`예요", "대화는 daehwa예요"],
  ["```python\nprint(2**3)\n```", "print(2**3)\n"],
  ["see [the page](https://example.com/a) for ~~less~~ more", "see the page for less more"],
  ["a * b, 5 * 6, x**2, __init__, snake_case, C# and #1", "a * b, 5 * 6, x**2, __init__, snake_case, C# and #1"],
  ["a list:\n- an item\n* another - that is, a second\n> a quote", "a list:\nan item\nanother - that is, a second\na quote"],
  ["> > twice\n>> and close\n> - [ ] a task\n>\n> end", "twice\nand close\na task\n\nend"],
  ["- [ ] open\n  - [x] done\n1. [X] numbered\n- [link] a[x] b", "open\ndone\n1. numbered\n[link] a[x] b"],
  ["…[ ] cut\n…> > quote, 3 > 2, [x] y", "…cut\n…quote, 3 > 2, [x] y"],
])("%j reads as %j", (text, expected) => {
  expect(plain(text)).toBe(expected);
});

test("what was found stays marked, though its marks stood in the neighbours", () => {
  const found = [
    { text: "…the **", match: false },
    { text: "long", match: true },
    { text: " river** and `", match: false },
    { text: "code", match: true },
    { text: "`…", match: false },
  ];
  expect(withoutMarks(found)).toEqual([
    { text: "…the ", match: false },
    { text: "long", match: true },
    { text: " river and ", match: false },
    { text: "code", match: true },
    { text: "…", match: false },
  ]);
});
