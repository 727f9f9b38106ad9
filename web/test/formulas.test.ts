// @vitest-environment jsdom
import "./dom-style.ts";

import { describe, expect, it } from "vitest";

import { renderMarkdown, streamMarkdown } from "../src/markdown/index.ts";

const options = { copyLabel: () => "Copy", copiedLabel: () => "Copied" };

async function rendered(text: string): Promise<HTMLElement> {
  const into = document.createElement("div");
  await renderMarkdown(into, text, options);
  return into;
}

function sources(into: HTMLElement): (string | undefined)[] {
  return [...into.querySelectorAll<HTMLElement>(".md-formula")].map((formula) => formula.dataset["source"]);
}

const ROOTS = "x = \\frac{-b \\pm \\sqrt{b^2-4ac}}{2a}";

describe("formulas", () => {
  it.each([
    [`so \\(${ROOTS}\\).`, [`\\(${ROOTS}\\)`]],
    [`\\[ ${ROOTS} \\]`, [`\\[ ${ROOTS} \\]`]],
    [`$$\n${ROOTS}\n$$`, [`$$\n${ROOTS}\n$$`]],
    [`so $${ROOTS}$.`, [`$${ROOTS}$`]],
    ["$a_1*b*c_1$ and **$x$**는 $y$입니다, the $n$th", ["$a_1*b*c_1$", "$x$", "$y$", "$n$"]],
    ["$속도 = \\frac{거리}{시간}$", ["$속도 = \\frac{거리}{시간}$"]],
    ["($x$, $y$): $2 + 2$-way", ["$x$", "$y$", "$2 + 2$"]],
    ["$$\na\n=\n- c\n1. d\n| e\n    f\n$$", ["$$\na\n=\n- c\n1. d\n| e\n    f\n$$"]],
    ["1. a\n   \\[\n   x\n   \\]\n2. b", ["\\[\nx\n\\]"]],
    ["> \\[\n> x\n> - y\n> \\]", ["\\[\nx\n- y\n\\]"]],
    ["\\(a\\\\) b\\)", ["\\(a\\\\) b\\)"]],
    ["$\\$5$", ["$\\$5$"]],
  ])("%j", async (text, found) => {
    const into = await rendered(text);
    expect(sources(into)).toEqual(found);
    expect(into.querySelectorAll("math").length).toBe(found.length);
  });

  it.each([
    "$5 and $10",
    "costs $5, or 10$ more",
    "US$5 and CA$7",
    "$5-$10, $5/$10",
    "$HOME/bin:$PATH",
    "$HOME is here and not$ there",
    "정가 $5에서 할인가 $3로",
    "$5는 비싸고 3$는 싸다",
    "a $ b $ c",
    "$$ and $$$",
    "cheap is $$ and dear is $$ too",
    "$x`$`y$",
  ])("%j is none", async (text) => {
    const into = await rendered(text);
    expect(sources(into)).toEqual([]);
  });

  it("escaped marks and marks in code are none", async () => {
    expect((await rendered("\\$x$ and `\\(y\\)`")).innerHTML).toBe("<p>$x$ and <code>\\(y\\)</code></p>");
    expect((await rendered("```\n$$\nx\n$$\n```")).querySelector("code")?.textContent).toBe("$$\nx\n$$");
  });

  it("those on lines of their own are displayed, in a named box that can be scrolled by key", async () => {
    const into = await rendered("text\n\\[ x \\].\nmore");
    expect(into.querySelectorAll("p").length).toBe(3);
    const box = into.querySelector<HTMLElement>(".md-display");
    expect([box?.tabIndex, box?.getAttribute("role"), box?.getAttribute("aria-label")]).toEqual([0, "group", "Formula"]);
    expect(box?.querySelector("math")?.getAttribute("display")).toBe("block");
  });

  it.each(["\\(\\frac{\\)", "\\[ \\nope{x} \\]", "$\\left( x$", "\\(\\href{https://e.com}{x}\\)", "\\(\\includegraphics{https://e.com/x.png}\\)", "\\(x \\ref{message}\\)"])(
    "%j cannot be read and stays as it is written",
    async (text) => {
      const into = await rendered(text);
      expect(into.querySelector("math, a, img")).toBeNull();
      expect(into.querySelector("code")?.textContent).toBe(text);
    },
  );

  it("names nothing in the page and leads nowhere", async () => {
    const into = await rendered("\\[\\begin{align} x \\label{message} \\tag{1} \\end{align}\\] \\(\\style{position:fixed}{x}\\)");
    expect(into.querySelector("[id], [href], [style]")).toBeNull();
  });

  it("one's definitions are not another's", async () => {
    const into = await rendered("\\(\\gdef\\mine{x}\\mine\\) \\(\\mine\\)");
    expect(into.querySelectorAll("math").length).toBe(1);
  });
});

describe("while it grows", () => {
  const frame = (): Promise<void> => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));

  it.each([
    ["a \\(x_1 + **b", '<p>a <code class="md-tex">\\(x_1 + **b</code></p>'],
    ["a\n\\[\nx\n- y", '<p>a</p><p><code class="md-tex md-display">\\[\nx\n- y</code></p>'],
    ["$$\nx\n= y", '<p><code class="md-tex md-display">$$\nx\n= y</code></p>'],
    ["a $\\hat{y}_i and", "<p>a $\\hat{y}_i and</p>"],
    ["$5 and **bold", "<p>$5 and <strong>bold</strong></p>"],
    ["$$\nx\n\ntext", "<p>$$<br>x</p><p>text</p>"],
  ])("%j is shown as %s", async (text, expected) => {
    const into = document.createElement("div");
    const stream = streamMarkdown(into, options);
    stream.append(text);
    await frame();
    expect(into.innerHTML).toBe(expected);
    stream.destroy();
  });

  it("a formula that is there is left alone", async () => {
    const into = document.createElement("div");
    const stream = streamMarkdown(into, options);
    stream.append("so \\(x^2\\) is");
    while (into.querySelector("math") === null) await frame();
    const math = into.querySelector("math");
    stream.append(" the **square** and\n\nmore");
    await stream.finish();
    expect(into.querySelector("math")).toBe(math);
  });
});
