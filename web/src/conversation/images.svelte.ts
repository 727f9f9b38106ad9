/** Images of questions. What only they need is fetched with the first of them; here is what waits for it. */
import { startTurn, type TurnBody } from "../api/client.ts";
import { networkFailure } from "../api/failure.ts";
import type { ImagePart, Part } from "../api/wire.ts";
import { part } from "../lib/part.ts";

type Images = typeof import("../images/index.ts");

const fetched = part(() => import("../images/index.ts"));

class ImagesPart {
  /** Null until it is here. */
  now = $state.raw<Images | null>(null);

  load = async (): Promise<Images> => (this.now = await fetched());
}

export const images = new ImagesPart();

export const imagesOf = (parts: readonly Part[]): ImagePart[] => parts.filter((part) => part.type === "image");

/** What a question is made of: its images first, and of text nothing where there is none. */
export const partsOf = (shown: readonly ImagePart[], text: string): (ImagePart | { type: "text"; text: string })[] =>
  shown.length > 0 && text === "" ? [...shown] : [...shown, { type: "text", text }];

/** Send a turn, with the bytes of the images that the server has not got; once it has them, nothing keeps them here. */
export async function sendTurn(body: TurnBody, signal: AbortSignal): Promise<Response> {
  const { message } = body;
  const shown = imagesOf(message?.parts ?? []);
  if (!message || shown.length === 0) return startTurn(body, signal);
  const there = await images.load().catch((error: unknown) => Promise.reject(networkFailure(error)));
  const response = await startTurn({ ...body, message: { ...message, parts: await there.withData(message.parts) } }, signal);
  void there.letGo(shown);
  return response;
}
