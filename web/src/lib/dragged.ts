/** The files that are dragged over the page or dropped on it; null where it is something else, as a text. */
export function filesOf(event: DragEvent): FileList | null {
  return event.dataTransfer?.types.includes("Files") ? event.dataTransfer.files : null;
}

/** A file that is dropped where nothing takes it would be opened by the browser in the place of the page. */
export function keepPage(event: DragEvent): void {
  if (filesOf(event)) event.preventDefault();
}
