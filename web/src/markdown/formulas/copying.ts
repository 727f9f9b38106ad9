// What is copied of a page with formulas has their TeX: MathML alone would come out as `x=−b±b2−4ac2a`.

const FORMULA = ".md-formula";

function formulaOf(node: Node): Element | null {
  const element = node.nodeType === 1 ? (node as Element) : node.parentElement;
  return element?.closest(FORMULA) ?? null;
}

/** A formula of which a part is selected is copied as a whole. */
function withWholeFormulas(selected: Range): Range {
  const range = selected.cloneRange();
  const first = formulaOf(range.startContainer);
  const last = formulaOf(range.endContainer);
  if (first !== null) range.setStartBefore(first);
  if (last !== null) range.setEndAfter(last);
  return range;
}

/** As it would be copied, with its lines: only what is laid out has them. */
function textOf(content: DocumentFragment): string {
  const holder = document.createElement("div");
  holder.className = "md md-copied";
  holder.append(content);
  document.body.append(holder);
  const text = holder.innerText;
  holder.remove();
  return text;
}

export function copyWithSources(event: ClipboardEvent): void {
  const selection = document.getSelection();
  if (event.clipboardData === null || event.defaultPrevented || selection === null || selection.isCollapsed) return;
  const content = withWholeFormulas(selection.getRangeAt(0)).cloneContents();
  const formulas = content.querySelectorAll<HTMLElement>(FORMULA);
  if (formulas.length === 0) return;
  for (const control of content.querySelectorAll("button, [role=status]")) control.remove();
  for (const formula of formulas) formula.textContent = formula.dataset["source"] ?? "";
  const holder = document.createElement("div");
  holder.append(content.cloneNode(true));
  event.clipboardData.setData("text/html", holder.innerHTML);
  event.clipboardData.setData("text/plain", textOf(content));
  event.preventDefault();
}
