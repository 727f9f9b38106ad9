/** Base64 in every browser: `Uint8Array.toBase64` is not in all of them yet. */

/** Letters at a time: as many as a function takes arguments everywhere, and a multiple of three, so that pieces join. */
const AT_ONCE = 24_576;

export async function base64Of(data: Blob): Promise<string> {
  const bytes = new Uint8Array(await data.arrayBuffer());
  let text = "";
  for (let at = 0; at < bytes.length; at += AT_ONCE) text += btoa(String.fromCharCode(...bytes.subarray(at, at + AT_ONCE)));
  return text;
}

/** The bytes that stand in base64; null where it is none. */
export function bytesIn(base64: string): Uint8Array<ArrayBuffer> | null {
  try {
    return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  } catch {
    return null;
  }
}
