/** A conversation's messages as a tree: which path is shown, and what stands beside it. Pure. */
import type { Message } from "../api/wire.ts";

const ROOT = "";

export class MessageTree {
  readonly messages: ReadonlyMap<string, Message>;
  readonly #children = new Map<string, Message[]>();

  constructor(messages: ReadonlyMap<string, Message>) {
    this.messages = messages;
    for (const message of messages.values()) {
      const parent = message.parent ?? ROOT;
      const siblings = this.#children.get(parent);
      if (siblings) siblings.push(message);
      else this.#children.set(parent, [message]);
    }
    for (const siblings of this.#children.values()) siblings.sort(byCreation);
  }

  childrenOf(id: string | null): readonly Message[] {
    return this.#children.get(id ?? ROOT) ?? [];
  }

  /** The newest message below this one (or of the whole tree), always taking the newest child. */
  newestBelow(id: string | null): string | null {
    let current = id;
    for (;;) {
      const child = this.childrenOf(current).at(-1);
      if (!child) return current;
      current = child.id;
    }
  }

  /** From the root to the end of the branch that `leaf` is on. */
  path(leaf: string | null): Message[] {
    const known = leaf !== null && this.messages.has(leaf) ? leaf : null;
    const path: Message[] = [];
    let current = this.messages.get(this.newestBelow(known) ?? this.#newest() ?? ROOT);
    while (current) {
      path.push(current);
      current = current.parent === null ? undefined : this.messages.get(current.parent);
    }
    return path.reverse();
  }

  /** Where the beginning is not loaded, nothing is below it. */
  #newest(): string | undefined {
    return [...this.messages.values()].sort(byCreation).at(-1)?.id;
  }

  /** The alternatives to this message, itself among them; attempts that came to nothing are passed over. */
  siblings(message: Message): readonly Message[] {
    return this.childrenOf(message.parent).filter(
      (other) => other.id === message.id || (other.role === message.role && !cameToNothing(other)),
    );
  }
}

function cameToNothing(message: Message): boolean {
  return message.status === "failed" && message.parts.length === 0;
}

function byCreation(a: Message, b: Message): number {
  return a.created - b.created || (a.id < b.id ? -1 : 1);
}

/** What is shown as one: a question, or an answer with the continuations that go on with it. */
export interface Entry {
  readonly head: Message;
  /** Head first, then its continuations. */
  readonly chain: readonly Message[];
  readonly siblings: readonly Message[];
}

export function entriesOf(tree: MessageTree, path: readonly Message[]): Entry[] {
  const entries: { head: Message; chain: Message[]; siblings: readonly Message[] }[] = [];
  for (const message of path) {
    if (message.role === "system") continue;
    const last = entries.at(-1);
    if (message.role === "assistant" && last?.head.role === "assistant") last.chain.push(message);
    else entries.push({ head: message, chain: [message], siblings: tree.siblings(message) });
  }
  return entries;
}
