/** Deleting a conversation, whether the server has it, only this browser, or nobody knows. */
import { ApiFailure } from "../api/failure.ts";
import { conversations } from "../sidebar/list.svelte.ts";
import { putBack, withdrawBegun } from "./outbox.ts";

type Remove = (id: string) => Promise<void>;

const onServer: Remove = (id) => conversations.remove(id);

/** Returns whether the server had it, so that it can be restored. Where it is not deleted, all is as it was before. */
export async function removeConversation(id: string, remove = onServer): Promise<boolean> {
  const turns = withdrawBegun(id);
  const isOnlyHere = turns.length > 0 && turns.every(({ refused }) => refused !== null);
  if (!isOnlyHere) {
    // Of a turn that was not refused nobody knows whether the server took it: its word may be lost on the way.
    try {
      await remove(id);
      return true;
    } catch (error) {
      if (turns.length === 0 || !isMissing(error)) {
        putBack(turns);
        throw error;
      }
    }
  }
  conversations.drop(id);
  return false;
}

const isMissing = (error: unknown): boolean => error instanceof ApiFailure && error.type === "conversation_not_found";
