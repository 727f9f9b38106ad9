/** Show a found message in the middle of the view, and mark it for a moment. */
export function showFound(message: Element): void {
  const show = (): void => message.scrollIntoView({ block: "center" });
  show();
  // The heights of what was never drawn are guessed; two frames later they are known around here.
  requestAnimationFrame(() => requestAnimationFrame(show));
  message.classList.add("found");
  setTimeout(() => message.classList.remove("found"), 2_500);
}
