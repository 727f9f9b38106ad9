// TeX → MathML by Temml, fetched with the first formula. It makes its nodes itself, without any HTML.
import "temml/dist/Temml-Local.css";
import "./formulas.css";

import temml from "temml";

import { copyWithSources } from "./copying.ts";

/** No length of a formula's own is greater than this many em, or points. */
const LARGEST: [number, number] = [40, 480];
/** The one command of TeX's that Temml writes as a style attribute, which the page's policy forbids. */
const MACROS = { "\\pmb": "\\boldsymbol{#1}" };

/** As long as a browser shows nothing in the place of a text whose font has not come. */
const FONT_MS = 3_000;

document.addEventListener("copy", copyWithSources);

/** Resolves when the font has come, or takes too long: with another one first, all of them would be laid out twice. */
export async function fontCame(): Promise<void> {
  const late = new Promise((resolve) => setTimeout(resolve, FONT_MS));
  await Promise.race([document.fonts?.load("1em Formulas").catch(() => null), late]);
}

/** Null where it is no TeX that can be read, whatever the reason. */
export function mathml(tex: string, isDisplay: boolean): Node | null {
  const holder = document.createElement("span");
  try {
    temml.render(tex, holder, {
      displayMode: isDisplay,
      throwOnError: true,
      maxSize: LARGEST,
      macros: { ...MACROS },
      // A browser that can break lines in a formula may do so where TeX would.
      wrap: "tex",
    });
  } catch {
    return null;
  }
  // A reference leads to a formula that is not known here, and a label would name an element of the page.
  if (holder.querySelector("a") !== null) return null;
  for (const named of holder.querySelectorAll("[id]")) named.removeAttribute("id");
  return holder.firstChild;
}
