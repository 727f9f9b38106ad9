/** Do something once an element is on the screen or a few screens from it; what is far costs nothing until then. */

const pending = new WeakMap<Element, () => void>();
let observer: IntersectionObserver | undefined;

function seen(entries: readonly IntersectionObserverEntry[]): void {
  for (const { target, isIntersecting } of entries) {
    if (!isIntersecting) continue;
    observer?.unobserve(target);
    pending.get(target)?.();
    pending.delete(target);
  }
}

export function whenNear(element: Element, act: () => void): () => void {
  observer ??= new IntersectionObserver(seen, { rootMargin: "1500px 0px" });
  pending.set(element, act);
  observer.observe(element);
  return () => {
    observer?.unobserve(element);
    pending.delete(element);
  };
}
