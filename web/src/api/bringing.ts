/** Bringing conversations along: its own route, loaded with its screen. */
import * as v from "valibot";
import { decoded, send } from "./client.ts";

/** What became of conversations; see `Brought` in docs/api.md. */
export const Brought = v.object({
  added: v.number(),
  restored: v.number(),
  changed: v.number(),
  same: v.number(),
  empty: v.number(),
  images: v.number(),
  left_out: v.array(v.object({ title: v.nullable(v.string()), reason: v.string() })),
  not_brought: v.record(v.string(), v.number()),
});
export type Brought = v.InferOutput<typeof Brought>;

export const importConversations = async (body: Blob, signal: AbortSignal): Promise<Brought> =>
  decoded(Brought, await send("/api/conversations/import", { method: "POST", headers: { "content-type": "application/json" }, body, signal }));
