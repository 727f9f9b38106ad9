/** Tells the server while a question is being written, so that it has a connection to the model when the question comes. */
import { expectTurn } from "../api/client.ts";
import type { Model } from "../api/wire.ts";

/** Less than the server's own half minute: what is ready then stays so until the next word of ours. */
const AGAIN_AFTER = 25_000;

let told: { readonly model: string; readonly at: number } | null = null;

/** Something was written to this model. The small one that comes with the program, and Lambda, have nothing to prepare. */
export function expectQuestion(model: Model | null, home: string | undefined): void {
  if (model === null || model.trial || model.state === "unavailable" || home !== "local") return;
  const now = performance.now();
  if (told?.model === model.id && now - told.at < AGAIN_AFTER) return;
  told = { model: model.id, at: now };
  void expectTurn(model.id);
}
