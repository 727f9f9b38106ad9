/** What a question that shows images needs on its way to the server: their bytes, where the server has not got them. */
import type { ImagePart, Part } from "../api/wire.ts";
import { kept } from "./kept.ts";

export type SentPart = Part & { readonly data?: string };

export const withData = (parts: readonly Part[]): Promise<SentPart[]> =>
  Promise.all(parts.map((part) => (part.type === "image" ? filled(part) : part)));

async function filled({ type, image, width, height }: ImagePart): Promise<SentPart> {
  const bare = { type, image, width, height };
  const found = await kept(image);
  return found ? { ...bare, data: found.url.slice(found.url.indexOf(",") + 1) } : bare;
}
