/** The models that can be asked, and the one that is chosen. */
import { getMe, getModels } from "../api/client.ts";
import { ApiFailure } from "../api/failure.ts";
import type { Me, Model } from "../api/wire.ts";
import { readSaved, save } from "../lib/saved.ts";

const LOADING_POLL = 1_500;
const FAILED_POLL = 5_000;

class Models {
  all = $state.raw<readonly Model[]>([]);
  loaded = $state(false);
  me = $state.raw<Me | null>(null);
  #default = $state<string | null>(null);
  #remembered = $state<string | null>(readSaved("model"));
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

  async load(): Promise<void> {
    clearTimeout(this.#timer);
    try {
      const { models, default: byDefault } = await getModels();
      this.all = models;
      this.#default = byDefault;
      this.loaded = true;
      if (models.some((model) => model.state === "loading")) this.#again(LOADING_POLL);
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      this.#again(FAILED_POLL);
    }
  }

  async loadMe(): Promise<void> {
    try {
      this.me = await getMe();
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
    }
  }

  /** Only the small model that came with the program is there. */
  get onlyTrial(): boolean {
    return this.all.length > 0 && this.all.every((model) => model.trial);
  }

  #again(after: number): void {
    this.#timer = setTimeout(() => void this.load(), after);
  }
}

export const models = new Models();
