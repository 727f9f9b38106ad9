// Writes a DOM in document order over the one that is there, and keeps every node that already fits: a tail that grew by
// a word changes one text node, and a selection or a focused button in it survives.

interface Level {
  parent: HTMLElement;
  next: ChildNode | null;
}

export class DomCursor {
  private readonly above: Level[] = [];
  private parent: HTMLElement;
  private next: ChildNode | null;

  /** Begins right after `after`, or with the first child of `parent`. */
  constructor(parent: HTMLElement, after: ChildNode | null) {
    this.parent = parent;
    this.next = after === null ? parent.firstChild : after.nextSibling;
  }

  get document(): Document {
    return this.parent.ownerDocument;
  }

  open(tag: string, className = ""): HTMLElement {
    const element = this.leaf(
      (node) => node.localName === tag && node.className === className,
      () => {
        const made = this.document.createElement(tag);
        if (className !== "") made.className = className;
        return made;
      },
    );
    this.enter(element, null);
    return element;
  }

  /** Goes into an element that is already there, and stays behind its child `after`. */
  enter(element: HTMLElement, after: ChildNode | null): void {
    this.above.push({ parent: this.parent, next: this.next });
    this.parent = element;
    this.next = after === null ? element.firstChild : after.nextSibling;
  }

  /** Takes the element at this place where it fits, puts a new one here where it does not, and steps over it. */
  leaf(fits: (node: HTMLElement) => boolean, make: () => HTMLElement): HTMLElement {
    const found = this.next;
    if (found !== null && found.nodeType === 1 && fits(found as HTMLElement)) {
      this.next = found.nextSibling;
      return found as HTMLElement;
    }
    const made = make();
    if (found === null) this.parent.append(made);
    else if (found.nodeType === 1) {
      this.next = found.nextSibling;
      found.replaceWith(made);
    } else found.before(made);
    return made;
  }

  text(content: string): void {
    if (content === "") return;
    const found = this.next;
    if (found === null || found.nodeType !== 3) {
      const made = this.document.createTextNode(content);
      if (found === null) this.parent.append(made);
      else found.before(made);
      return;
    }
    const text = found as Text;
    this.next = text.nextSibling;
    const { data } = text;
    if (data === content) return;
    if (content.startsWith(data)) text.appendData(content.slice(data.length));
    else text.data = content;
  }

  /** The node that the cursor has just gone past. */
  get passed(): ChildNode | null {
    return this.next === null ? this.parent.lastChild : this.next.previousSibling;
  }

  /** Leaves the element; what it held after this place is no longer part of the text. */
  close(): void {
    this.clearRest();
    this.leave();
  }

  /** Leaves the element as it is. */
  leave(): void {
    const level = this.above.pop();
    if (level === undefined) throw new Error("close without open");
    this.parent = level.parent;
    this.next = level.next;
  }

  clearRest(): void {
    for (let node = this.next; node !== null; ) {
      const following: ChildNode | null = node.nextSibling;
      node.remove();
      node = following;
    }
    this.next = null;
  }
}

export function setAttribute(element: HTMLElement, name: string, value: string | null): void {
  if (value === null) {
    if (element.hasAttribute(name)) element.removeAttribute(name);
  } else if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}
