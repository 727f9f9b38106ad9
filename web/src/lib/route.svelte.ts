/** What the address names: `#/c/<id>` a conversation, `?m=<message>` one message of it; `#/usage` and others a screen. */
import { overlays } from "./overlays.ts";

export const screens = ["usage", "keys", "instructions", "import", "account", "people", "groups", "providers", "installation", "audit"] as const;
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

  constructor() {
    addEventListener("hashchange", () => (this.place = placeOf(location.hash)));
    addEventListener("click", (event) => this.#clicked(event));
  }

  /** The address of what is shown now. */
  get address(): string {
    const { conversation, message, screen } = this.place;
    return screen ? screenAddress(screen) : addressOf(conversation, message);
  }

  go(address: string): void {
    if (address !== this.address) overlays.leaveFor(address);
    this.place = placeOf(address);
  }

  /** The conversation that is being begun here gets its address without a second entry to go back through. */
  become(conversation: string): void {
    const address = addressOf(conversation);
    overlays.below(() => history.replaceState(history.state, "", address));
    this.place = placeOf(address);
  }

  /** A link in something that is open over the page: followed by the browser, it would leave the entry of that behind. */
  #clicked(event: MouseEvent): void {
    const isOrdinary = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
    const link = event.target instanceof Element ? event.target.closest<HTMLAnchorElement>('a[href^="#/"]') : null;
    if (!link || !isOrdinary || !overlays.areOver) return;
    event.preventDefault();
    this.go(link.hash);
  }
}

export const route = new Route();
