/** What the address names: `#/c/<id>` a conversation, `?m=<message>` one message of it; `#/usage` and others a screen. */

export const screens = ["usage", "keys", "account", "people", "groups", "providers", "installation", "audit"] as const;
export type Screen = (typeof screens)[number];

interface Place {
  readonly conversation: string | null;
  readonly message: string | null;
  /** What is shown in the place of a conversation. */
  readonly screen: Screen | null;
}

const PATTERN = /^#\/c\/([0-9a-f-]{36})(?:\?m=([0-9a-f-]{36}))?$/;

export function placeOf(hash: string): Place {
  const found = PATTERN.exec(hash);
  return { conversation: found?.[1] ?? null, message: found?.[2] ?? null, screen: screens.find((screen) => screenAddress(screen) === hash) ?? null };
}

export function addressOf(conversation: string | null, message?: string | null): string {
  if (conversation === null) return "#/";
  return message ? `#/c/${conversation}?m=${message}` : `#/c/${conversation}`;
}

export const screenAddress = (screen: Screen): string => `#/${screen}`;

class Route {
  place = $state.raw<Place>(placeOf(location.hash));
  /** How often the address was changed by the reader, as by Back, and not by the page. */
  came = $state(0);

  constructor() {
    addEventListener("hashchange", () => {
      if (location.hash !== this.address) this.came += 1;
      this.place = placeOf(location.hash);
    });
  }

  /** The address of what is shown now. */
  get address(): string {
    const { conversation, message, screen } = this.place;
    return screen ? screenAddress(screen) : addressOf(conversation, message);
  }

  go(conversation: string | null): void {
    if (location.hash !== addressOf(conversation)) location.hash = addressOf(conversation);
    this.place = { conversation, message: null, screen: null };
  }

  /** The conversation that is being begun here gets its address without a second entry to go back through. */
  become(conversation: string): void {
    history.replaceState(history.state, "", addressOf(conversation));
    this.place = { conversation, message: null, screen: null };
  }
}

export const route = new Route();
