/** A word between the tabs of one browser: "this conversation changed, look again". Hints only; the server knows. */

const channel = typeof BroadcastChannel === "undefined" ? null : new BroadcastChannel("daehwa");

export function tellOtherTabs(conversation: string): void {
  channel?.postMessage(conversation);
}

export function onOtherTabs(listener: (conversation: string) => void): () => void {
  const hear = ({ data }: MessageEvent<unknown>): void => {
    if (typeof data === "string") listener(data);
  };
  channel?.addEventListener("message", hear);
  return () => channel?.removeEventListener("message", hear);
}
