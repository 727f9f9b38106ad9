/** An answer as what is shown of it: its parts in order, those of its continuations joined on. Pure. */
import type { Message, Part } from "../api/wire.ts";
import type { LiveReply } from "./live-reply.svelte.ts";

export interface LivePart {
  readonly reply: LiveReply;
  readonly index: number;
}

export interface Block {
  readonly kind: Part["type"];
  /** A tool's name. */
  readonly name: string;
  /** The text that is final. */
  readonly text: string;
  /** The part that goes on after it and still grows here. */
  readonly live: LivePart | null;
}

export function bodyOf(part: Part): string {
  if (part.type === "image") return "";
  return part.type === "tool_call" ? part.arguments : part.text;
}

export function blocksOf(chain: readonly Message[], live: ReadonlyMap<string, LiveReply>): Block[] {
  const blocks: Block[] = [];
  for (const message of chain) {
    const reply = live.get(message.id);
    const kinds = reply?.kinds ?? message.parts.map((part) => part.type);
    kinds.forEach((kind, index) => {
      const part = (reply ?? message).parts[index];
      if (!part) return;
      const last = blocks.at(-1);
      const joins = last?.kind === kind && kind !== "tool_call" && last.live === null;
      const block: Block = {
        kind,
        name: part.type === "tool_call" ? part.name : "",
        text: (joins ? last.text : "") + (reply ? "" : bodyOf(part)),
        live: reply ? { reply, index } : null,
      };
      if (joins) blocks[blocks.length - 1] = block;
      else blocks.push(block);
    });
  }
  return blocks;
}

/** Hand over a growing part's text, first all there is and then what is new. Returns how to stop. */
export function followPart({ reply, index }: LivePart, append: (text: string) => void): () => void {
  let shown = 0;
  const grow = (): void => {
    const part = reply.parts[index];
    const body = part ? bodyOf(part) : "";
    if (body.length <= shown) return;
    append(body.slice(shown));
    shown = body.length;
  };
  grow();
  return reply.onGrown(grow);
}
