/** Reading a stream piece by piece, for as long as it is wanted. */
import { ZipFault } from "./zip.ts";

/** Yield what comes, up to so many bytes. Throws `ZipFault` past them, and what `signal` was stopped with. */
export async function* bounded(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  signal: AbortSignal,
  most: number,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const reader = stream.getReader(); // streams cannot be walked through in every browser
  let bytes = 0;
  try {
    for (;;) {
      signal.throwIfAborted();
      const { done, value } = await reader.read();
      if (done) return;
      bytes += value.length;
      if (bytes > most) throw new ZipFault("damaged");
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
