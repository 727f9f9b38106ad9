/** Which conversation is open, and keeping it in step with the server, other tabs and what waits to be sent. */
import { untrack } from "svelte";
import { connection } from "../lib/connection.svelte.ts";
import { addressOf, route } from "../lib/route.svelte.ts";
import { onOtherTabs, tellOtherTabs } from "../lib/tabs.ts";
import { models } from "../settings/models.svelte.ts";
import { identity } from "../sign-in/identity.svelte.ts";
import { conversations } from "../sidebar/list.svelte.ts";
import { sendTurn } from "./images.svelte.ts";
import { OpenConversation } from "./open.svelte.ts";
import { sendWaiting, waitingTurns } from "./outbox.ts";
import { begunBy } from "./turns.ts";

const LOOK_AGAIN = 20_000;
/** On AWS each request is paid for. */
const LOOK_AGAIN_ON_AWS = 180_000;
const SETTLE = 150;

class Current {
  open = $state.raw(new OpenConversation(route.place.conversation));
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #changed = new Set<string>();
  /** What is being loaded because the address names it. */
  #loading: { readonly open: OpenConversation; readonly message: string | null } | null = null;

  /** Open what the address names, unless it is open already. */
  follow(conversation: string | null, message: string | null): void {
    const same = conversation === null ? this.open.state === "new" : conversation === this.open.id;
    if (same && message === null) return;
    if (!same) {
      this.open.close();
      this.open = new OpenConversation(conversation);
    }
    // What is read on the way there is no reason to open it once more.
    if (conversation !== null) untrack(() => void this.#load(message));
  }

  /** Load what is open, up to a found message; once, however many notice that the address names it. */
  async #load(message: string | null): Promise<void> {
    const { open } = this;
    if (this.#loading?.open === open && this.#loading.message === message) return;
    const loading = { open, message };
    this.#loading = loading;
    try {
      await open.load(message);
    } finally {
      if (this.#loading === loading) this.#loading = null;
    }
  }

  /** Begin a new conversation on an empty page. */
  begin(): void {
    route.go(addressOf(null));
    this.follow(null, null);
  }

  start(): () => void {
    if (this.open.state === "loading") void this.#load(route.place.message);
    void this.#send();
    const look = (): void => {
      if (document.visibilityState === "visible") this.#lookAgain();
    };
    const back = (): void => {
      look();
      if (document.visibilityState === "visible") models.lookAgain();
    };
    const reached = (): void => {
      void this.#send();
      void models.load();
      this.#lookAgain(this.open.id);
    };
    const stops = [
      onOtherTabs((id) => this.#lookAgain(id)),
      connection.onBack(reached),
      identity.onBack(reached),
    ];
    let looked = Date.now();
    const poll = setInterval(() => {
      if (identity.ended || (identity.onAws && Date.now() - looked < LOOK_AGAIN_ON_AWS)) return;
      looked = Date.now();
      look();
    }, LOOK_AGAIN);
    document.addEventListener("visibilitychange", back);
    addEventListener("focus", back);
    return () => {
      clearInterval(poll);
      document.removeEventListener("visibilitychange", back);
      removeEventListener("focus", back);
      for (const stop of stops) stop();
    };
  }

  /** Many hints at once make one look. */
  #lookAgain(changed?: string): void {
    if (changed !== undefined) this.#changed.add(changed);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#look(), SETTLE);
  }

  async #look(): Promise<void> {
    const { open } = this;
    const before = open.meta;
    await conversations.refresh();
    const now = conversations.find(open.id);
    const moved = now?.updated !== before?.updated || now?.leaf !== before?.leaf;
    const isSettled = open.state === "ready" || open.state === "failed" || open.state === "missing";
    // What has only begun here is on its way, and the server may not know it yet.
    const isOnlyHere = conversations.onlyHere().some(({ id }) => id === open.id);
    if ((moved || this.#changed.has(open.id)) && isSettled && !isOnlyHere) await open.load();
    this.#changed.clear();
  }

  async #send(): Promise<void> {
    const sent = await sendWaiting(sendTurn, (reply) => this.open.live.has(reply));
    for (const id of sent) tellOtherTabs(id);
    for (const id of sent) this.#lookAgain(id);
  }
}

conversations.onlyHere = () => begunBy(waitingTurns());

export const current = new Current();
