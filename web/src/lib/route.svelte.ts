/** Which conversation the address names: `#/c/<id>`, with `?m=<message>` for one message of it. */

interface Place {
  readonly conversation: string | null;
  readonly message: string | null;
}

const PATTERN = /^#\/c\/([0-9a-f-]{36})(?:\?m=([0-9a-f-]{36}))?$/;

export function placeOf(hash: string): Place {
  const found = PATTERN.exec(hash);
  return { conversation: found?.[1] ?? null, message: found?.[2] ?? null };
}

export function addressOf(conversation: string | null, message?: string | null): string {
  if (conversation === null) return "#/";
  return message ? `#/c/${conversation}?m=${message}` : `#/c/${conversation}`;
}

class Route {
  place = $state.raw<Place>(placeOf(location.hash));

  constructor() {
    addEventListener("hashchange", () => (this.place = placeOf(location.hash)));
  }

  go(conversation: string | null): void {
    if (location.hash !== addressOf(conversation)) location.hash = addressOf(conversation);
    this.place = { conversation, message: null };
  }

  /** The conversation that is being begun here gets its address without a second entry to go back through. */
  become(conversation: string): void {
    history.replaceState(history.state, "", addressOf(conversation));
    this.place = { conversation, message: null };
  }
}

export const route = new Route();
