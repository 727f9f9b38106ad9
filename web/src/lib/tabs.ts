/** A word between the tabs of one browser: "this conversation changed, look again". Hints only; the server knows. */

const channel = typeof BroadcastChannel === "undefined" ? null : new BroadcastChannel("daehwa");

/** Who is signed in in this browser now; null when somebody has just signed out. */
interface SignedIn {
  readonly person: string | null;
}

export function tellOtherTabs(news: string | SignedIn): void {
  channel?.postMessage(news);
}

export function onOtherTabs(listener: (conversation: string) => void): () => void {
  return onNews((news) => {
    if (typeof news === "string") listener(news);
  });
}

export function onSignInElsewhere(listener: (person: string | null) => void): () => void {
  return onNews((news) => {
    if (typeof news !== "object" || news === null || !("person" in news)) return;
    if (news.person === null || typeof news.person === "string") listener(news.person);
  });
}

function onNews(listener: (news: unknown) => void): () => void {
  const hear = ({ data }: MessageEvent<unknown>): void => listener(data);
  channel?.addEventListener("message", hear);
  return () => channel?.removeEventListener("message", hear);
}
