/** Do something when the browser has a moment; returns how to call it off. Safari has no such call yet. */
export function whenIdle(act: () => void): () => void {
  if (typeof requestIdleCallback === "function") {
    const id = requestIdleCallback(act, { timeout: 500 });
    return () => cancelIdleCallback(id);
  }
  const id = setTimeout(act, 30);
  return () => clearTimeout(id);
}
