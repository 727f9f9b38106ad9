import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";

const files = readdirSync("src", { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".svelte"));

test.each(files)("every text input of %s obeys the one rule for Enter", (file) => {
  const source = readFileSync(`src/${file}`, "utf8");
  const inputs = source.match(/<(?:textarea|input)\b[^]*?(?:\/>|<\/textarea>)/g) ?? [];
  for (const input of inputs.filter((each) => !/type="(?:radio|file)"/.test(each))) {
    expect(input).toContain("{@attach watchComposition}");
  }
  expect(source, "Enter is asked for by isEnter or isSend alone").not.toMatch(/key === "Enter"/);
});

test.each(files)("%s has no style in its markup, which the CSP would refuse", (file) => {
  expect(readFileSync(`src/${file}`, "utf8")).not.toMatch(/\sstyle="/);
});

test.each(files)("%s is at most 250 lines long", (file) => {
  expect(readFileSync(`src/${file}`, "utf8").trimEnd().split("\n").length).toBeLessThanOrEqual(250);
});
