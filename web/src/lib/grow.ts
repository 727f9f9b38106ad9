/** A text area as high as its text, up to its max-height. Where CSS can do it (`field-sizing`), CSS does. */
import type { Attachment } from "svelte/attachments";

export const grow: Attachment<HTMLTextAreaElement> = (area) => {
  area.classList.add("grows");
  if (CSS.supports("field-sizing", "content")) return;
  const fit = (): void => {
    area.style.height = "auto";
    area.style.height = `${String(area.scrollHeight)}px`;
  };
  area.addEventListener("input", fit);
  const wide = new ResizeObserver(fit);
  wide.observe(area);
  fit();
  return () => {
    area.removeEventListener("input", fit);
    wide.disconnect();
  };
};
