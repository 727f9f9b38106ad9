// @vitest-environment jsdom
// The same hostile texts that the server's tests bring: in an answer and its code.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

import { renderMarkdown } from "../src/markdown/index.ts";

const texts = JSON.parse(readFileSync("../tests/attacks/markup.json", "utf8")) as string[];
const options = { copyLabel: () => "Copy", copiedLabel: () => "Copied" };
const RUNS = "script,img,svg,math,iframe,object,embed,form,style,link,meta,base,video,audio,template,dialog,details,body,x";

function check(into: HTMLElement): void {
  expect(into.querySelectorAll(RUNS)).toHaveLength(0);
  for (const element of into.querySelectorAll("*")) {
    for (const { name, value } of element.attributes) {
      expect(name).not.toMatch(/^on|^srcdoc$|^style$|^formaction$|^src$/);
      if (name === "href") expect(value).toMatch(/^(?:https?:\/\/|mailto:)/i);
    }
  }
}

describe("markup in a text stays text", () => {
  it.each(texts)("%j", async (text) => {
    for (const whole of [text, `- ${text}`, `> # ${text}`, `**${text}**`, `\`\`\`${text}\n${text}\n\`\`\``, `|${text}|\n|-|\n|${text}|`]) {
      const into = document.createElement("div");
      await renderMarkdown(into, whole, options);
      check(into);
    }
  });

  it("there are many of them", () => expect(texts.length).toBeGreaterThan(120));
});
