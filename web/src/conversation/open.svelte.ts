/** The conversation that is on the page: its tree, the branch that is shown, and the replies that grow in it. */
import * as api from "../api/client.ts";
import { ApiFailure } from "../api/failure.ts";
import type { Conversation, ImagePart, Message, OpenedConversation, ReplyEnd, Usage } from "../api/wire.ts";
import { conversationMessages } from "../i18n/catalogue.ts";
import { announcer } from "../lib/announce.svelte.ts";
import { newId } from "../lib/ids.ts";
import { tellOtherTabs } from "../lib/tabs.ts";
import { models } from "../settings/models.svelte.ts";
import { complain } from "../sign-in/complain.ts";
import { conversations } from "../sidebar/list.svelte.ts";
import { budgets } from "../spending/budgets.svelte.ts";
import { NOTHING, restWith, type Total } from "../spending/total.ts";
import { imagesOf, partsOf } from "./images.svelte.ts";
import { LiveReply, type LiveReplyHooks } from "./live-reply.svelte.ts";
import { dropTurn, keepTurn, markRefused, waitingTurns } from "./outbox.ts";
import { textOf, toldEnd, type ToldEnd } from "./reply.ts";
import { entriesOf, MessageTree } from "./tree.ts";
import { awaitsTitle, mergeMessages, messagesOf, newConversation } from "./turns.ts";

const LOOK_AGAIN = 2_000;
const LOOK_FOR_TITLE = [2_000, 6_000];

type Loading = "new" | "loading" | "ready" | "missing" | "failed";

/** What was written, and what it shows. */
export type Written = readonly [text: string, images: readonly ImagePart[]];

/** What a turn is about, before it gets its ids. */
interface Turn {
  readonly question?: Omit<api.QuestionBody, "id">;
  readonly parent?: string;
  readonly continues?: boolean;
  readonly model: string | null;
}

export class OpenConversation {
  readonly id: string;
  state = $state<Loading>("new");
  meta = $state.raw<Conversation | null>(null);
  leaf = $state<string | null>(null);
  titleUsage = $state.raw<Usage | null>(null);
  /** What the replies took that are not loaded; null while it is not known. */
  rest = $state.raw<Total | null>(NOTHING);
  earlier = $state.raw<Promise<boolean> | null>(null);
  #whole = $state(true);
  messages = $state.raw<ReadonlyMap<string, Message>>(new Map());
  live = $state.raw<ReadonlyMap<string, LiveReply>>(new Map());
  readonly tree = $derived(new MessageTree(this.messages));
  readonly path = $derived(this.tree.path(this.leaf));
  readonly entries = $derived(entriesOf(this.tree, this.path));
  /** The reply at the end of what is shown, while it grows or waits to be sent. */
  readonly growing = $derived(this.live.get(this.path.at(-1)?.id ?? "") ?? null);
  /** Whether there are messages above what is shown. */
  readonly hasEarlier = $derived(!this.#whole && (this.path[0]?.parent ?? null) !== null);
  readonly #followed = new Set<LiveReply>();
  /** What the server has for certain. */
  readonly #stored = new Set<string>();
  #weighs = false;
  #serverLeaf: string | null = null;
  #closed = false;
  #looksForTitle = false;

  constructor(id: string | null) {
    this.id = id ?? newId();
    if (id !== null) this.state = "loading";
  }

  /** Whether a question can be asked now, at the end of what is shown. */
  get canAsk(): boolean {
    return this.growing === null || this.growing.phase === "refused";
  }

  async load(message: string | null = null): Promise<void> {
    if (this.state === "failed") this.state = "loading";
    const shown = this.leaf;
    try {
      const opened = await api.getConversation(this.id, { message });
      if (this.#closed) return;
      this.#takeIn(opened);
      // Who walked elsewhere meanwhile is not thrown back.
      if (this.leaf === shown) this.#followLeaf(opened.conversation.leaf);
      if (!opened.whole && !opened.total) void this.#weigh();
      if (message !== null && this.messages.has(message)) this.leaf = message;
      this.state = "ready";
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      if (this.#closed) return;
      this.#failedToLoad(error);
    }
    this.#resumeUnsent();
  }

  /** Load what was said before what is shown; returns whether something came. Whoever asks meanwhile waits for the same. */
  loadEarlier(): Promise<boolean> {
    this.earlier ??= this.#bringEarlier().finally(() => (this.earlier = null));
    return this.earlier;
  }

  async #bringEarlier(): Promise<boolean> {
    const parent = this.path[0]?.parent ?? null;
    if (parent === null || !this.hasEarlier) return false;
    // A question that is not stored stands beside one that is, which may not be loaded either.
    const beside = this.tree.childrenOf(parent).find((message) => this.#stored.has(message.id));
    const opened = await api.getConversation(this.id, beside ? { before: beside.id } : { message: parent });
    if (!this.#closed) this.#takeIn(opened);
    return this.messages.has(parent);
  }

  /** Ask for what all replies took: for that the server looks at each, and nobody has to wait for it. */
  async #weigh(): Promise<void> {
    if (this.#weighs) return;
    this.#weighs = true;
    try {
      const opened = await api.getConversation(this.id, { limit: 1, total: true });
      if (!this.#closed) this.#takeIn(opened);
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
    } finally {
      this.#weighs = false;
    }
  }

  #failedToLoad(error: ApiFailure): void {
    const unsent = waitingTurns().some((turn) => turn.body.conversation === this.id);
    if (unsent || (error.passes && this.messages.size > 0)) this.state = "ready";
    else if (error.status === 404) this.#gone();
    else this.state = "failed";
  }

  /** It was deleted, perhaps in another tab; it may come back, so this goes on being its page. */
  #gone(): void {
    for (const reply of this.#followed) reply.close();
    this.#followed.clear();
    this.live = new Map();
    this.messages = new Map();
    this.#stored.clear();
    this.rest = NOTHING;
    this.leaf = null;
    this.#serverLeaf = null;
    this.meta = null;
    this.state = "missing";
    conversations.drop(this.id);
  }

  #takeIn({ conversation, messages, title_usage, whole, total }: OpenedConversation): void {
    for (const message of messages) this.#stored.add(message.id);
    this.#whole = whole;
    this.titleUsage = title_usage ?? null;
    const unsent = new Set(waitingTurns().flatMap(({ body }) => [body.reply, body.message?.id ?? ""]));
    const merged = mergeMessages(
      this.messages,
      messages,
      (id) => this.live.has(id),
      (id) => unsent.has(id) || (!whole && this.#stored.has(id)),
    );
    this.rest = whole ? NOTHING : restWith(this.rest, total, this.messages, merged);
    this.messages = merged;
    this.meta = conversation;
    conversations.put(conversation);
    for (const message of messages) {
      if (message.status === "streaming" && !this.live.has(message.id)) this.#follow(message, null);
    }
    if (whole && !this.#looksForTitle && awaitsTitle(conversation, messages, Date.now())) this.#lookForTitle();
  }

  /** Go where the conversation was left elsewhere, as soon as that is loaded. */
  #followLeaf(leaf: string | null): void {
    if (leaf !== null && !this.messages.has(leaf)) return;
    if (leaf !== this.#serverLeaf && !this.growing) this.leaf = leaf;
    this.#serverLeaf = leaf;
  }

  /** The first answer had just ended when it was loaded: its title is told to those who followed, so it is asked for. */
  #lookForTitle(): void {
    this.#looksForTitle = true;
    for (const wait of LOOK_FOR_TITLE) {
      setTimeout(() => {
        if (!this.#closed && this.meta?.title_source === "question") void this.load();
      }, wait);
    }
  }

  /** Turns that this browser still has to send, from before a reload. */
  #resumeUnsent(): void {
    for (const { body, created, refused } of waitingTurns()) {
      if (body.conversation !== this.id || this.live.has(body.reply)) continue;
      if (this.messages.has(body.reply)) {
        dropTurn(body.reply);
        continue;
      }
      this.#add(messagesOf(body, created));
      const reply = this.#follow(this.messages.get(body.reply), refused ? null : body, body);
      if (refused) reply?.refuse(refused);
    }
  }

  ask(text: string, images: readonly ImagePart[], model: string | null): void {
    this.#begin({ question: { parts: partsOf(images, text), parent: this.#parentOfNext() }, model });
  }

  edit(question: Message, text: string, images: readonly ImagePart[], model: string | null): void {
    this.#begin({ question: { parts: partsOf(images, text), parent: question.parent }, model });
  }

  regenerate(answer: Message, model: string | null): void {
    if (answer.parent !== null) this.#begin({ parent: answer.parent, model });
  }

  proceed(reply: Message, model: string | null): void {
    this.#begin({ parent: reply.id, continues: true, model });
  }

  #parentOfNext(): string | null {
    const refused = this.growing?.phase === "refused" ? 2 : 0;
    return this.path.at(-1 - refused)?.id ?? null;
  }

  #begin({ question, parent, continues, model }: Turn): void {
    const newest = Math.max(0, ...[...this.messages.values()].map((message) => message.created));
    const created = Math.max(Date.now(), newest + 1);
    const body: api.TurnBody = {
      conversation: this.id,
      reply: newId(),
      ...(model === null ? {} : { model }),
      ...(question && { message: { id: newId(), ...question } }),
      ...(parent !== undefined && { parent }),
      ...(continues && { continue: true }),
    };
    keepTurn(body, created, this.#stored.size === 0);
    this.#add(messagesOf(body, created));
    this.meta = this.meta ? { ...this.meta, model, updated: created } : newConversation(body, created);
    conversations.put(this.meta);
    this.state = "ready";
    this.#follow(this.messages.get(body.reply), body);
  }

  #add(messages: readonly Message[]): void {
    this.messages = new Map([...this.messages, ...messages.map((message) => [message.id, message] as const)]);
    this.leaf = messages.at(-1)?.id ?? this.leaf;
  }

  #follow(message: Message | undefined, post: api.TurnBody | null, refused?: api.TurnBody): LiveReply | null {
    if (!message) return null;
    const body = post ?? refused ?? null;
    const reply = new LiveReply(message, body, this.#hooks(message.id));
    this.#followed.add(reply);
    this.live = new Map(this.live).set(message.id, reply);
    if (post !== null || body === null) reply.start();
    return reply;
  }

  #hooks(reply: string): LiveReplyHooks {
    const say = (key: "answerBegins" | "answerEnds" | "answerStopped" | "notSent" | ToldEnd): void =>
      announcer.say(conversationMessages.get()[key]);
    return {
      onAccepted: () => {
        dropTurn(reply);
        this.#stored.add(reply).add(this.messages.get(reply)?.parent ?? reply);
        this.#serverLeaf = reply;
        tellOtherTabs(this.id);
      },
      onRefused: (failure) => {
        if (this.live.get(reply)?.phase === "refused") markRefused(reply, failure.failure);
        else this.#lostTrack(reply);
        models.turnFailed(failure.type);
        void budgets.load();
        say(this.live.get(reply)?.phase === "refused" ? "notSent" : "interrupted");
      },
      onBegun: () => say("answerBegins"),
      onEnded: (live, end) => {
        this.#ended(live, end);
        tellOtherTabs(this.id);
        models.turnFailed(end.error?.type);
        void budgets.load();
        say(this.#saidAtEnd(live.id));
      },
      onTitle: (title, usage) => {
        this.retitle(title);
        // It is made, and paid for, after the answer's end.
        this.titleUsage ??= usage;
        void budgets.load();
      },
    };
  }

  /** The server will not let this reply be followed; whatever it has of it is what there is. */
  #lostTrack(reply: string): void {
    const others = new Map(this.live);
    others.delete(reply);
    this.live = others;
    setTimeout(() => void (this.#closed || this.load()), LOOK_AGAIN);
  }

  #ended(live: LiveReply, end: ReplyEnd): void {
    const others = new Map(this.live);
    others.delete(live.id);
    const message = this.messages.get(live.id);
    if (message) {
      const ended: Message = {
        ...message,
        parts: live.frozen(),
        status: end.status,
        finish: end.finish ?? null,
        error: end.error ?? null,
        usage: live.usage ?? message.usage,
        position: live.position,
        heartbeat: Date.now(),
      };
      this.messages = new Map(this.messages).set(live.id, ended);
    }
    this.live = others;
    // Where the server died, it may have kept less than was seen here; what it has is what goes on.
    if (end.status === "interrupted") void this.load();
  }

  /** What is said of an ended answer is what stands below it. */
  #saidAtEnd(reply: string): "answerEnds" | "answerStopped" | ToldEnd {
    const entry = this.entries.find(({ chain }) => chain.at(-1)?.id === reply);
    const message = this.messages.get(reply);
    const told = toldEnd(entry?.chain ?? (message ? [message] : []));
    return told === "stopped" ? "answerStopped" : (told ?? "answerEnds");
  }

  retitle(title: string): void {
    const known = conversations.find(this.id) ?? this.meta;
    if (known) conversations.put((this.meta = { ...known, title, title_source: "model" }));
    tellOtherTabs(this.id);
  }

  async stop(): Promise<void> {
    const reply = this.growing;
    if (reply && (reply.phase === "waiting" || reply.phase === "streaming")) await api.stopTurn(reply.id);
    else if (reply?.phase === "sending") this.takeBack(reply.id);
  }

  /** Send a refused turn once more, with the same ids. */
  retry(reply: string): void {
    markRefused(reply, null);
    this.live.get(reply)?.start();
  }

  /** Withdraw a turn that was never stored; returns its question, which goes back to where it was written. */
  takeBack(reply: string): Written {
    const answer = this.messages.get(reply);
    const question = this.messages.get(answer?.parent ?? "");
    const asked = waitingTurns().some(({ body }) => body.reply === reply && body.message !== undefined);
    dropTurn(reply);
    this.live.get(reply)?.close();
    const left = new Map(this.messages);
    left.delete(reply);
    if (asked && question) left.delete(question.id);
    this.messages = left;
    const live = new Map(this.live);
    live.delete(reply);
    this.live = live;
    this.leaf = (asked ? question?.parent : answer?.parent) ?? null;
    if (left.size === 0) {
      this.state = "new";
      conversations.drop(this.id);
    }
    const parts = (asked && question?.parts) || [];
    return [textOf(parts), imagesOf(parts)];
  }

  /** Walk to another version of a message as soon as what is below it is here; returns whether it is shown. */
  async show(sibling: Message): Promise<boolean> {
    if (!(await this.#bringBelow(sibling.id))) return false;
    this.leaf = this.tree.newestBelow(sibling.id);
    void this.#remember(this.leaf);
    return true;
  }

  async #remember(leaf: string | null): Promise<void> {
    if (leaf === null || !this.#stored.has(leaf)) return;
    try {
      await api.changeConversation(this.id, { leaf });
      this.#serverLeaf = leaf;
      tellOtherTabs(this.id);
    } catch (error) {
      // The place is not remembered then; that is all.
      if (!(error instanceof ApiFailure)) throw error;
    }
  }

  /** Load what is below a version; false where that failed, or the reader has gone elsewhere meanwhile. */
  async #bringBelow(sibling: string): Promise<boolean> {
    if (this.#whole || !this.#stored.has(sibling)) return true;
    const shown = this.leaf;
    try {
      const opened = await api.getConversation(this.id, { message: sibling });
      if (this.#closed) return false;
      this.#takeIn(opened);
      return this.leaf === shown;
    } catch (error) {
      complain(error);
      return false;
    }
  }

  /** Stop following; the turns themselves go on. */
  close(): void {
    this.#closed = true;
    for (const reply of this.#followed) reply.close();
  }
}
