// jsdom has no MathML elements: what a browser's have, and Temml writes to, is put beside it.
Object.defineProperty(Element.prototype, "style", {
  configurable: true,
  get(this: Element) {
    return styles.get(this) ?? styles.set(this, {}).get(this);
  },
});

const styles = new WeakMap<Element, Record<string, string>>();
