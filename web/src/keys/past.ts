/** Whether a key opens nothing any more. Pure. */
import type { Key } from "../api/accounts-wire.ts";

export function isPast(key: Key, now: number): boolean {
  return key.revoked != null || (key.expires != null && key.expires <= now);
}

/** A command to try a key with, as it is typed in a terminal. */
export function commandOf(baseUrl: string, secret: string, model: string): string {
  const body = JSON.stringify({ model, messages: [{ role: "user", content: "Hello" }] });
  return [
    `curl ${baseUrl}/chat/completions`,
    `-H "Authorization: Bearer ${secret}"`,
    `-H "Content-Type: application/json"`,
    `-d '${body.replaceAll("'", "'\\''")}'`,
  ].join(" \\\n  ");
}
