/** Folds events into the growing reply, as `conversation/reply.py` does on the server. */
import type { ReplyEvent } from "../api/event-stream.ts";
import type { Message, Part, Usage } from "../api/wire.ts";

type Growing = { -readonly [K in keyof Part]: Part[K] } & Part;

export class GrowingReply {
  readonly #parts: Growing[];
  position: number;
  usage: Usage | null = null;

  constructor(parts: readonly Part[] = [], position = 0) {
    this.#parts = parts.map((part) => ({ ...part }));
    this.position = position;
  }

  /** The parts as they are now; the array and its objects go on growing. */
  get parts(): readonly Part[] {
    return this.#parts;
  }

  /** Fold events in. Returns whether a new part began. Ends and titles are not the reply's text and pass. */
  apply(events: Iterable<ReplyEvent>): boolean {
    const before = this.#parts.length;
    for (const event of events) {
      if (event.kind === "usage") this.usage = event.usage;
      else if (event.kind === "text" || event.kind === "reasoning") this.#grow(event.kind, event.text, event.position);
      else if (event.kind === "tool") this.#growTool(event);
    }
    return this.#parts.length > before;
  }

  #grow(type: "text" | "reasoning", text: string, position: number): void {
    this.position = position;
    if (text === "") return;
    const last = this.#parts.at(-1);
    if (last?.type === type) last.text += text;
    else this.#parts.push({ type, text });
  }

  #growTool({ tool, position }: Extract<ReplyEvent, { kind: "tool" }>): void {
    this.position = position;
    const last = this.#parts.at(-1);
    if (last?.type === "tool_call" && last.id === tool.id) last.arguments += tool.arguments;
    else this.#parts.push({ type: "tool_call", ...tool });
  }

  /** The parts as values of their own. */
  frozen(): Part[] {
    return this.#parts.map((part) => ({ ...part }));
  }
}

/** Ends that are told by a sentence of their own. */
const TOLD_ENDS: readonly (string | null)[] = ["length", "content_filter"];

/** Whether an answer ended well with nothing in it: no text and no tool, whatever the model may have thought. */
export function isEmpty(chain: readonly Message[]): boolean {
  const tail = chain.at(-1);
  if (tail?.status !== "complete" || TOLD_ENDS.includes(tail.finish)) return false;
  return chain.every(({ parts }) => parts.every((part) => part.type === "reasoning" || (part.type === "text" && part.text.trim() === "")));
}

/** How an answer ended, where that is to be told; each has a sentence in the catalogue. */
export type ToldEnd = "stopped" | "interrupted" | "noAnswer" | "cutByLength" | "filtered" | "empty";

export function toldEnd(chain: readonly Message[]): ToldEnd | null {
  const tail = chain.at(-1);
  if (tail?.status === "stopped" || tail?.status === "interrupted") return tail.status;
  if (tail?.status === "failed") return "noAnswer";
  if (tail?.finish === "length") return "cutByLength";
  if (tail?.finish === "content_filter") return "filtered";
  return isEmpty(chain) ? "empty" : null;
}

/** The text that the reader sees, without reasoning and tool calls. */
export function textOf(parts: readonly Part[]): string {
  return parts.map((part) => (part.type === "text" ? part.text : "")).join("");
}
