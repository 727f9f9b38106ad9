/** Put what has just opened beside what opened it, and wholly on the screen. */
const GAP = 4;
const EDGE = 8;

export function placeBeside(opener: HTMLElement, opened: HTMLElement): void {
  const place = opener.getBoundingClientRect();
  const isBelow = place.bottom + opened.offsetHeight + EDGE < innerHeight;
  const top = isBelow ? place.bottom + GAP : Math.max(EDGE, place.top - opened.offsetHeight - GAP);
  const left = Math.max(EDGE, Math.min(place.left, innerWidth - opened.offsetWidth - EDGE));
  opened.style.top = `${String(top)}px`;
  opened.style.left = `${String(left)}px`;
}

/** Opens or closes it at once, and not when the browser reports it: until then keys go elsewhere, and it is painted elsewhere. Returns whether it is open. */
export function toggleNow(event: MouseEvent, popover: HTMLElement): boolean {
  event.preventDefault();
  popover.togglePopover();
  return popover.matches(":popover-open");
}
