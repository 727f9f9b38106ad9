// @vitest-environment jsdom
import { describe, expect, it } from "vitest";

import { renderMarkdown, streamMarkdown } from "../src/markdown/index.ts";

const options = { copyLabel: () => "Copy", copiedLabel: () => "Copied" };

async function rendered(text: string): Promise<HTMLElement> {
  const into = document.createElement("div");
  await renderMarkdown(into, text, options);
  return into;
}

async function html(text: string): Promise<string> {
  return (await rendered(text)).innerHTML;
}

describe("what models write", () => {
  it("emphasis next to Korean, Japanese and Chinese", async () => {
    expect(await html("**굵게**는 **\"단어\"**는 **괄호(말)**을 *\"기울임\"*은")).toBe(
      '<p><strong>굵게</strong>는 <strong>"단어"</strong>는 <strong>괄호(말)</strong>을 <em>"기울임"</em>은</p>',
    );
    expect(await html("これは**「強調」**です。**这是“重点”**吗")).toBe(
      "<p>これは<strong>「強調」</strong>です。<strong>这是“重点”</strong>吗</p>",
    );
    expect(await html("~~\"취소\"~~는")).toBe('<p><s>"취소"</s>는</p>');
  });

  it("money is no mathematics", async () => {
    expect(await html("$5 and $10")).toBe("<p>$5 and $10</p>");
  });

  it("line breaks: a new line, two spaces, a backslash, the tag", async () => {
    expect(await html("a\nb  \nc\\\nd<br>e<BR/>f")).toBe("<p>a<br>b<br>c<br>d<br>e<br>f</p>");
  });

  it("tables with alignment by class, never by style", async () => {
    const into = await rendered("|a|b|c|\n|-|:-:|-:|\n|1|2|3|\n");
    expect(into.querySelector("[style]")).toBeNull();
    expect([...into.querySelectorAll("td")].map((cell) => cell.className)).toEqual(["", "md-center", "md-right"]);
    const region = into.querySelector(".md-table");
    expect([region?.getAttribute("role"), region?.getAttribute("tabindex"), region?.getAttribute("aria-label")]).toEqual(["group", "0", "Table"]);
  });

  it("tasks are labelled boxes that cannot be changed", async () => {
    const into = await rendered("- [x] done\n- [ ] open");
    const boxes = [...into.querySelectorAll("input")];
    expect(boxes.map((box) => [box.checked, box.disabled, box.labels?.[0]?.textContent.trim()])).toEqual([
      [true, true, "done"],
      [false, true, "open"],
    ]);
  });

  it("headings look as written and never skip a level in the outline", async () => {
    expect(await html("### a\n# b\n## c\n###### d\n")).toBe(
      '<h4 class="md-h3">a</h4><h4 class="md-h1">b</h4><h5 class="md-h2">c</h5><h6 class="md-h6">d</h6>',
    );
  });

  it("links open apart and reveal nothing", async () => {
    const link = (await rendered("[x](https://example.com/가?b=1&c)")).querySelector("a");
    expect([link?.href, link?.target, link?.rel]).toEqual(["https://example.com/%EA%B0%80?b=1&c", "_blank", "noopener noreferrer"]);
  });

  it("a Korean particle after an address is not part of it", async () => {
    const link = (await rendered("https://example.com에서, https://ko.wikipedia.org/wiki/대화 봄")).querySelectorAll("a");
    expect([...link].map((each) => each.textContent)).toEqual(["https://example.com", "https://ko.wikipedia.org/wiki/대화"]);
  });

  it("code: label, focusable region, copy button, colours, exact text", async () => {
    const into = await rendered("```python\ndef f():\n    return 1\n```");
    const pre = into.querySelector("pre");
    expect([pre?.tabIndex, pre?.getAttribute("role"), pre?.getAttribute("aria-label")]).toEqual([0, "group", "Code: python"]);
    expect(into.querySelector(".md-code-head span")?.textContent).toBe("python");
    expect(into.querySelector("button")?.textContent).toBe("Copy");
    expect(into.querySelector("code")?.textContent).toBe("def f():\n    return 1");
    expect(into.querySelector(".md-t-keyword")?.textContent).toBe("def");
  });

  const samples: Record<string, string> = {
    js: "const a = 1", ts: "let a: string", json: '{"a": 1}', bash: 'echo "x"', html: "<b class='x'>t</b>", css: "a { color: red }",
    sql: "SELECT 1", go: "func f() {}", rust: "fn f() {}", java: "class A {}", c: "int a = 1;", "c++": "class A {};", yaml: "a: 1", diff: "+a\n-b",
    python: "if x: pass", tsx: "const a = 1", kotlin: "fun f() {}", ruby: "def f", toml: "a = 1", dockerfile: "FROM x", powershell: "if ($a) {}",
  };
  it.each(Object.entries(samples))("colours %s", async (language, code) => {
    const into = await rendered(`\`\`\`${language}\n${code}\n\`\`\``);
    expect(into.querySelectorAll("[class^=md-t-]").length).toBeGreaterThan(0);
    expect(into.querySelector("code")?.textContent).toBe(code);
  });

  it("CSS and JavaScript inside of HTML", async () => {
    const code = "<style>a { color: red }</style>\n<script>\nconst x = 'a';\n</script>\n<p>t</p>";
    const into = await rendered(`\`\`\`html\n${code}\n\`\`\``);
    expect(into.querySelector("code")?.textContent).toBe(code);
    expect([...into.querySelectorAll(".md-t-keyword")].map((each) => each.textContent)).toContain("const");
  });

  it("copies the code and says so", async () => {
    const into = await rendered("```\nx\n```");
    let copied = "";
    Object.defineProperty(navigator, "clipboard", { configurable: true, value: { writeText: (text: string) => Promise.resolve((copied = text)) } });
    into.querySelector("button")?.click();
    await Promise.resolve();
    await Promise.resolve();
    await Promise.resolve();
    expect([copied, into.querySelector("[role=status]")?.textContent]).toEqual(["x", "Copied"]);
  });
});

describe("while it grows", () => {
  const frame = (): Promise<void> => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));

  it.each([
    ["shows **bold", "<p>shows <strong>bold</strong></p>"],
    ["shows **굵", "<p>shows <strong>굵</strong></p>"],
    ["a **", "<p>a</p>"],
    ["a `code", "<p>a <code>code</code></p>"],
    ["a [label](https://exa", "<p>a label</p>"],
    ["a [lab", "<p>a lab</p>"],
    ["para\n-", "<p>para</p>"],
    ["para\n\n| a | b |\n|--", "<p>para</p>"],
    ["| a |", ""],
    ["para\n\n```pyth", "<p>para</p>"],
    ["2 * 3 * 4 and x*y", "<p>2 * 3 * 4 and x*y</p>"],
    ["~~no", "<p><s>no</s></p>"],
    ["a ***both", "<p>a <em><strong>both</strong></em></p>"],
  ])("%j is shown as %s", async (text, expected) => {
    const into = document.createElement("div");
    const stream = streamMarkdown(into, options);
    stream.append(text);
    await frame();
    expect(into.innerHTML).toBe(expected);
    stream.destroy();
  });

  it("keeps the nodes that are there", async () => {
    const into = document.createElement("div");
    const stream = streamMarkdown(into, options);
    stream.append("# Title\n\n- one\n- two **b");
    while (into.querySelector("strong") === null) await frame();
    const [title, strong, text] = [into.querySelector("h4"), into.querySelector("strong"), into.querySelector("strong")?.firstChild];
    stream.append("old** more\n- three\n\npara\n\n```js\nlet a");
    while (into.querySelector("pre") === null) await frame();
    const code = into.querySelector("pre");
    stream.append(" = 1\n```\nend");
    await stream.finish();
    expect(into.querySelector("h4")).toBe(title);
    expect(into.querySelector("strong")).toBe(strong);
    expect(strong?.firstChild).toBe(text);
    expect(into.querySelector("pre")).toBe(code);
  });

  it("refuses text after its end and stays quiet after it was destroyed", async () => {
    const into = document.createElement("div");
    const stream = streamMarkdown(into, options);
    stream.append("a");
    await stream.finish();
    expect(() => stream.append("b")).toThrow();
    const other = streamMarkdown(into, options);
    other.append("x");
    other.destroy();
    await frame();
    expect(into.innerHTML).toBe("");
  });
});
