/**
 * Who is signed in, and what the page shows because of it. What a person wrote is kept by their id, so that it waits
 * for them and is seen by nobody else.
 */
import { getMe, signOut } from "../api/client.ts";
import { REACHABLE } from "../api/event-stream.ts";
import { ApiFailure } from "../api/failure.ts";
import { gate } from "../api/gate.ts";
import type { Failure, Me } from "../api/wire.ts";
import { overlays } from "../lib/overlays.ts";
import { route } from "../lib/route.svelte.ts";
import { belongTo, forgetOwn, readSaved, save } from "../lib/saved.ts";
import { onSignInElsewhere, tellOtherTabs } from "../lib/tabs.ts";
import { linkTokenOf, signInAddress, takeSignInError } from "./address.ts";
import { mayHaveKeys } from "./rights.ts";
import { doors } from "./doors.svelte.ts";

/** Who was here last, so that the page need not wait for the server's word each time. */
const LAST = "person";
/** A home where nobody signs in. */
const NOBODY = "-";
/** How long the page waits to hear whether its person is still signed in, before it shows itself. */
const PATIENCE = 400;
/** After so long, who comes back to the page is told what holds now: an announcement, what admins may. */
const LOOK_AGAIN = 600_000;
const FIRST_RETRY = 1_000;
const LONGEST_RETRY = 10_000;

class Identity {
  me = $state.raw<Me | null>(null);
  /** What is shown: nothing yet, the page, where nobody is signed in the way in, or what a link is for. */
  stage = $state<"waiting" | "page" | "sign-in" | "link">("waiting");
  /** The session ended while the page was in use. The page stays; what it asks for waits. */
  ended = $state(false);
  /** Whether the reader is being asked to sign in again. */
  asks = $state(false);
  /** What went wrong with signing in, as the server said in the address. */
  error = $state<string | null>(null);
  /** Why it is not known who is signed in. */
  failure = $state.raw<Failure | null>(null);
  #person: string | null = null;
  /** It is known that nobody is signed in, and not yet how that is done here. */
  #isOut = false;
  /** It is being found out how one signs in; the reader is asked to once that is known. */
  #isSeeking = false;
  #first: () => void = () => undefined;
  readonly #listeners = new Set<() => void>();
  #retry: ReturnType<typeof setTimeout> | undefined;

  get onAws(): boolean {
    return this.me?.home === "aws";
  }

  /** Whether it is for the reader to choose which models are there. */
  get choosesModels(): boolean {
    return (!this.onAws && this.me?.sign_in !== true) || this.me?.user.role === "admin";
  }

  /** Whether API keys are for the reader. */
  get mayHaveKeys(): boolean {
    return this.me === null || mayHaveKeys(this.me);
  }

  /** Find out who is here. `first` asks for what the page shows first, as soon as there may be an answer to that. */
  begin(first: () => void): void {
    addEventListener("hashchange", () => {
      if ((linkTokenOf(location.hash) !== null) !== (this.stage === "link")) location.reload();
    });
    if (linkTokenOf(location.hash) !== null) {
      this.stage = "link";
      return;
    }
    const { type, address } = takeSignInError(location.href);
    this.error = type;
    if (type !== null) history.replaceState(history.state, "", address);
    gate.onShut(() => this.#leave());
    onSignInElsewhere((person) => this.#heard(person));
    // A page that the browser had put aside may come back after somebody else signed in.
    addEventListener("pageshow", (event) => {
      if (event.persisted) void this.load();
    });
    document.addEventListener("visibilitychange", () => {
      const isSeen = document.visibilityState === "visible" && this.me?.sign_in === true && !this.ended;
      if (isSeen && Date.now() - this.#asked > LOOK_AGAIN) void this.load();
    });
    this.#person = readSaved(LAST);
    if (this.#person === null) this.#first = first;
    else this.#expect(first, this.#person);
    void this.load();
  }

  /** Call back each time the same person is signed in again. */
  onBack(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #asked = 0;

  async load(wait = FIRST_RETRY): Promise<void> {
    clearTimeout(this.#retry);
    this.#asked = Date.now();
    try {
      this.#enter(await getMe());
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      if (error.isSignedOut) return;
      this.failure = error.failure;
      this.#retry = setTimeout(() => void this.load(Math.min(wait * 1.6, LONGEST_RETRY)), wait);
    }
  }

  /**
   * Something that the reader did needs somebody to be signed in; `failure` is what came of it. What was sent before
   * the session was known to have ended asks no second time: a dialog that was closed must not come back by itself.
   */
  askToSignIn(failure?: ApiFailure): void {
    if (failure?.isUnsent !== false && !this.#isSeeking) this.asks = this.ended;
  }

  /** End the session here and in all tabs; nothing that was written stays in this browser. */
  async signOut(): Promise<void> {
    let location: string | null = null;
    try {
      location = await signOut();
    } catch (error) {
      if (!(error instanceof ApiFailure && error.isSignedOut)) throw error;
    }
    tellOtherTabs({ person: null });
    this.#go(location);
  }

  /** The account is no more: nothing of it stays here either. */
  vanish(): void {
    tellOtherTabs({ person: null });
    this.#go(null);
  }

  /** Somebody was here before: most likely they still are. */
  #expect(first: () => void, person: string): void {
    belongTo(person === NOBODY ? null : person);
    first();
    if (person === NOBODY) {
      this.stage = "page";
      gate.open();
    } else {
      setTimeout(() => {
        if (this.stage === "waiting" && !this.#isOut) this.stage = "page";
      }, PATIENCE);
    }
  }

  #enter(me: Me): void {
    const person = me.sign_in ? me.user.id : NOBODY;
    if (this.stage === "page" && person !== this.#person) return this.#changed(person);
    this.me = me;
    this.failure = null;
    this.#person = person;
    belongTo(me.sign_in ? person : null);
    save(LAST, person);
    this.stage = "page";
    gate.open();
    this.#first();
    this.#first = () => undefined;
    if (me.sign_in) tellOtherTabs({ person });
    if (this.ended) this.#resume();
  }

  #resume(): void {
    this.ended = false;
    this.asks = false;
    dispatchEvent(new Event(REACHABLE));
    for (const listener of this.#listeners) listener();
  }

  /** Another person's page is shown than the one whose session this is. */
  #changed(person: string): void {
    // Removed first: a store that is full takes no new value, and the page must not come up as the old one again.
    save(LAST, null);
    save(LAST, person);
    location.reload();
  }

  /** The server says that nobody is signed in. */
  #leave(): void {
    if (this.stage === "page") this.ended = true;
    else this.#isOut = true;
    this.#isSeeking = true;
    void this.#showDoors();
  }

  /** Find out by which doors people come in, then show them. */
  async #showDoors(wait = FIRST_RETRY): Promise<void> {
    clearTimeout(this.#retry);
    try {
      await doors.load();
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      this.failure = error.failure;
      this.#retry = setTimeout(() => void this.#showDoors(Math.min(wait * 1.6, LONGEST_RETRY)), wait);
      return;
    }
    // Somebody may have signed in meanwhile, in another tab.
    if (!gate.isShut) return;
    this.#isSeeking = false;
    this.failure = null;
    if (this.stage === "page") this.asks = this.ended = true;
    else this.stage = "sign-in";
  }

  /** Another tab knows who is signed in now. */
  #heard(person: string | null): void {
    if (this.stage === "sign-in") return person === null ? undefined : location.reload();
    if (this.stage === "waiting" || this.#person === NOBODY) return;
    if (person === null) this.#go(null);
    else if (this.#person !== person) this.#changed(person);
    else if (this.ended) void this.load();
  }

  /** Forget the person and go away from this page, so that nothing of it stays in memory either. */
  #go(address: string | null): void {
    if (this.#person !== null) forgetOwn(this.#person);
    save(LAST, null);
    this.stage = "waiting";
    addEventListener("pageshow", () => location.reload());
    if (address !== null) return location.assign(address);
    overlays.below(() => {
      history.replaceState(null, "", location.pathname);
      location.reload();
    });
  }
}

/** Where the way in begins; it leads back to the place that is shown now. */
export function signInHere(options: { otherAccount?: boolean } = {}): string {
  return signInAddress(location.pathname + location.search + route.address, options);
}

export const identity = new Identity();
