// @vitest-environment jsdom
import "./dom-style.ts";

import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { renderMarkdown, streamMarkdown } from "../src/markdown/index.ts";
import { features } from "./markdown-corpus.ts";

const options = { copyLabel: () => "Copy", copiedLabel: () => "Copied" };

async function rendered(text: string): Promise<HTMLElement> {
  const into = document.createElement("div");
  await renderMarkdown(into, text, options);
  return into;
}

const frame = (): Promise<void> => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));

/** Streams the chunks, with a frame drawn after each where `isDrawn`. */
async function streamed(chunks: readonly string[], isDrawn: (index: number) => boolean): Promise<HTMLElement> {
  const into = document.createElement("div");
  const stream = streamMarkdown(into, options);
  for (const [index, chunk] of chunks.entries()) {
    stream.append(chunk);
    if (isDrawn(index)) await frame();
  }
  await stream.finish();
  return into;
}

function split(text: string, points: readonly number[]): string[] {
  const sorted = [...new Set(points.map((point) => point % (text.length + 1)))].sort((a, b) => a - b);
  return [0, ...sorted].map((from, index) => text.slice(from, sorted[index] ?? text.length));
}

/** The markup, with the attributes of each element in one order: which of them came first is nothing that a page shows. */
function markup(of: Element): string {
  const copy = of.cloneNode(true) as Element;
  for (const element of copy.querySelectorAll("*")) {
    const attributes = [...element.attributes].sort((one, other) => (one.name < other.name ? -1 : 1));
    for (const { name } of attributes) element.removeAttribute(name);
    for (const { name, value } of attributes) element.setAttribute(name, value);
  }
  return copy.innerHTML;
}

async function html(text: string): Promise<string> {
  return markup(await rendered(text));
}

/** Joined, a list that has a number to begin with becomes a loose one after it was drawn. */
const LISTS = "- a\n\n- b\n- c\n\n\n* other list\n+ a third\n\n5. from five\n6. six\n";
const STEPS =
  '1. Step:\n\n   ```bash\n   echo "hi" | grep h\n\n   ls -la\n   ```\n\n2. Next\n   ```\n   bare\n   ```\n- end\n';

describe.concurrent("any split of a text gives the same page", () => {
  it.each(features.map((text, index) => [index, text] as const))("feature %i, character by character", async (_, text) => {
    const whole = await html(text);
    const letters = [...Array(text.length).keys()].map((at) => text.charAt(at));
    expect(markup(await streamed(letters, () => false))).toBe(whole);
  });

  it.each(features.map((text, index) => [index, text] as const))("feature %i, drawn at every line and in it", async (_, text) => {
    const whole = await html(text);
    expect(markup(await streamed(text.split(/(?<=\n)|(?<=\W)(?=\w)/), () => true))).toBe(whole);
  });

  it("texts joined of several features, split anywhere, drawn anywhen", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom(...features), { minLength: 1, maxLength: 4 }),
        fc.constantFrom("", "\n", "\n\n"),
        fc.array(fc.nat(3000), { maxLength: 12 }),
        fc.nat(),
        async (texts, between, points, draws) => {
          const text = texts.join(between);
          const grown = await streamed(split(text, points), (index) => ((draws >> index % 30) & 1) === 1);
          expect(markup(grown)).toBe(await html(text));
        },
      ),
      { numRuns: 60, examples: [[[LISTS, STEPS], "", [43], 317_127_087]] },
    );
  }, 60_000);

  it("arbitrary strings of marks", async () => {
    const piece = fc.constantFrom(
      ..."\n|\n\n|- |* |1. |> |    |  |\t|# |`|```|~~~\n|**|*|_|~~|[|](|)|](http://a)|[a]: /u\n|!|\\|\\n|a|가|😀|\ud83d|\r|\r\n|---\n|===\n|x|: |&amp;|<br>|<b>|$|$$|\\(|\\)|\\[|\\]|x_1|[ ] |- [x] ".split("|"),
      "|",
      "|---|",
      "| a | b |\n",
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 40 }), fc.nat(), async (pieces, draws) => {
        const grown = await streamed(pieces, (index) => ((draws >> index % 30) & 1) === 1);
        expect(markup(grown)).toBe(await html(pieces.join("")));
      }),
      { numRuns: 100 },
    );
  }, 60_000);

  it("lines of formulas and of what looks like them", async () => {
    const line = fc.constantFrom(
      "$$", "\\[", "\\]", "$$ x $$", "\\[ x \\]", "\\[ x", "y \\] z", "$$ a", "text", "- b", "1. c", "= d", "===", "---", "> e", "> $$", "> - f",
      "  $$", "  - g", "   h", "    $$", "```", "", "  ", "# i", "| j |", "|---|", "\\(k", "l\\)", "- $$", "- \\[", "$m_1", "n$", "[o]: /p",
    );
    await fc.assert(
      fc.asyncProperty(fc.array(line, { maxLength: 16 }), fc.nat(), async (lines, draws) => {
        const text = lines.join("\n");
        const grown = await streamed(text.split(/(?<=\n)|(?<=.)(?=\$)/), (index) => ((draws >> index % 30) & 1) === 1);
        expect(markup(grown)).toBe(await html(text));
      }),
      { numRuns: 100, examples: [[["$$", "", "```", "$$", "  "], 105_089_160]] },
    );
  }, 60_000);
});
