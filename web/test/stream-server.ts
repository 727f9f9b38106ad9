/** A server made of plain functions: each request is answered by the next script, as the event stream meets it. */
import type { Clock } from "../src/api/event-stream.ts";

type Step = string | Uint8Array | { wait: Promise<void> } | "break";

/** A response whose body is these pieces, one after another; "break" is a lost connection. */
export function streamed(steps: readonly Step[], signal?: AbortSignal): Response {
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    async start(controller) {
      signal?.addEventListener("abort", () => controller.error(new DOMException("aborted", "AbortError")));
      for (const step of steps) {
        if (step === "break") return controller.error(new TypeError("network error"));
        if (typeof step === "string") controller.enqueue(encoder.encode(step));
        else if (step instanceof Uint8Array) controller.enqueue(step);
        else await step.wait;
        // What was sent is read before the next thing happens, as on a network.
        await new Promise((resolve) => setTimeout(resolve));
      }
      controller.close();
    },
  });
  return new Response(body, { headers: { "content-type": "text/event-stream" } });
}

export const frame = (id: number, event: string, data: unknown): string =>
  `id: ${String(id)}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`;

/** A clock that never makes anybody wait, and remembers for how long it was asked to. */
export function quickClock(silence = 60_000): Clock & { readonly waits: number[] } {
  const waits: number[] = [];
  return {
    waits,
    silence,
    random: () => 1,
    wait: (milliseconds) => {
      waits.push(milliseconds);
      return Promise.resolve();
    },
  };
}
