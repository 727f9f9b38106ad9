/** The models that can be asked, the one that is chosen, and why one that should be there is not. */
import { getModels } from "../api/client.ts";
import { ApiFailure } from "../api/failure.ts";
import type { Model, Models as Listing, Problem } from "../api/wire.ts";
import { readSaved, save } from "../lib/saved.ts";
import { budgets } from "../spending/budgets.svelte.ts";

const FIRST_POLL = 1_500;
const SLOWER = 1.5;
const LONGEST_POLL = 10_000;

/** Ends of a turn after which the list of models may be another one. */
const WANT_OF_MODEL: ReadonlySet<string> = new Set([
  "key_not_set",
  "model_not_found",
  "model_not_installed",
  "upstream_auth",
  "upstream_model",
  "upstream_timeout",
  "upstream_unavailable",
  "upstream_unreachable",
]);

class Models {
  all = $state.raw<readonly Model[]>([]);
  /** By the model's id; what is missing has no known price. */
  prices = $state.raw<Listing["prices"]>({});
  loaded = $state(false);
  #problems = $state.raw<readonly Problem[]>([]);
  #default = $state<string | null>(null);
  #remembered = $state<string | null>(readSaved("model"));
  #listing = "";
  #asking = false;
  #askedAt = 0;
  #polls = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** The choice for a conversation last answered by `ofConversation`: that, else the last chosen, else the default. */
  choice(ofConversation: string | null): Model | null {
    for (const id of [ofConversation, this.#remembered, this.#default]) {
      const model = this.all.find((candidate) => candidate.id === id);
      if (model) return model;
    }
    return this.all[0] ?? null;
  }

  remember(id: string): void {
    this.#remembered = id;
    save("model", id);
  }

  find(id: string | null): Model | null {
    return this.all.find((model) => model.id === id) ?? null;
  }

  /** Why the model that is wanted cannot be asked; nothing where it, or what stands in for it, well can. */
  troubles(ofConversation: string | null): readonly Problem[] {
    const wanted = ofConversation ?? this.#remembered;
    const model = this.choice(ofConversation);
    if (model?.state === "unavailable") {
      const why = this.#problems.filter(({ provider }) => this.onlyTrial || provider === model.provider);
      return why.length > 0 ? why : [{ provider: model.name, type: "unavailable", message: model.detail ?? "" }];
    }
    if (model === null || this.onlyTrial) return this.#problems;
    if (wanted === null || wanted === model.id) return [];
    return this.#problems.filter(({ provider }) => wanted.startsWith(`${provider}/`));
  }

  /** Only the small model that came with the program is there. */
  get onlyTrial(): boolean {
    return this.all.length > 0 && this.all.every((model) => model.trial);
  }

  /** A model of somebody's own is connected, whether or not it can be asked now. */
  get hasReal(): boolean {
    return this.all.some((model) => !model.trial);
  }

  /** The small model is what answers, and it can. */
  get trialAnswers(): boolean {
    return this.onlyTrial && this.all.some((model) => model.state !== "unavailable");
  }

  async load(): Promise<void> {
    if (this.#asking) return;
    clearTimeout(this.#timer);
    this.#asking = true;
    this.#askedAt = Date.now();
    try {
      const { budgets: standing, ...listing } = await getModels();
      budgets.take(standing);
      this.#take(listing);
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
    } finally {
      this.#asking = false;
      this.#poll();
    }
  }

  /** The reader is back: what was so a while ago may be otherwise. */
  lookAgain(): void {
    if (this.#isSettled && Date.now() - this.#askedAt < LONGEST_POLL) return;
    this.#polls = 0;
    void this.load();
  }

  /** A turn came to nothing; where that was for want of a model, ask which there are. */
  turnFailed(type: string | undefined): void {
    if (type === undefined || !WANT_OF_MODEL.has(type)) return;
    this.#polls = 0;
    void this.load();
  }

  /** Whether asking again would tell nothing new. */
  get #isSettled(): boolean {
    const ready = this.all.length > 0 && this.all.every((model) => model.state === "ready");
    return this.loaded && ready && this.#problems.length === 0;
  }

  /** Take in a list; one that says the same changes nothing, least of all a menu that is open. */
  #take(listing: Omit<Listing, "budgets">): void {
    const text = JSON.stringify(listing);
    if (text === this.#listing) return;
    this.#listing = text;
    this.#polls = 0;
    this.all = listing.models.filter(({ kind }) => kind === "chat" || kind === "completion");
    this.prices = listing.prices;
    this.#default = listing.default;
    this.#problems = listing.problems;
    this.loaded = true;
  }

  /** Soon at first, then slower; never where nobody looks. */
  #poll(): void {
    if (this.#isSettled || document.visibilityState !== "visible") return;
    const wait = Math.min(LONGEST_POLL, FIRST_POLL * SLOWER ** this.#polls++);
    this.#timer = setTimeout(() => void this.load(), wait);
  }
}

export const models = new Models();
