/** One function a route. Each decodes what the server sent, and throws `ApiFailure` where it cannot do what it says. */
import * as v from "valibot";
import { ApiFailure, failureOf, isAbort, networkFailure, signedOutFailure } from "./failure.ts";
import { gate } from "./gate.ts";
import * as wire from "./wire.ts";

export interface QuestionBody {
  readonly id: string;
  readonly parent: string | null;
  /** Its images first, then its text. */
  readonly parts: readonly wire.Part[];
}

/** A turn as POST /api/turns takes it; the three shapes are in docs/api.md. */
export interface TurnBody {
  readonly conversation: string;
  readonly reply: string;
  readonly model?: string;
  readonly message?: QuestionBody;
  readonly parent?: string;
  readonly continue?: true;
}

export interface ConversationChanges {
  readonly title?: string;
  readonly pinned?: boolean;
  readonly archived?: boolean;
  readonly leaf?: string;
}

let noticeReach: (reached: boolean) => void = () => undefined;

/** Be told of each request whether the server was reached. */
export function onReach(notice: (reached: boolean) => void): void {
  noticeReach = notice;
}

/** Ask the server, unless it is known that nobody is signed in. */
export async function send(path: string, init: RequestInit = {}): Promise<Response> {
  if (gate.isShut) throw signedOutFailure();
  return ask(path, init);
}

/** Ask the server, whoever is signed in or not. */
export async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, init);
  } catch (error) {
    if (isAbort(error)) throw error;
    noticeReach(false);
    throw networkFailure(error);
  }
  noticeReach(true);
  if (response.ok) return response;
  const failure = await failureOf(response);
  if (failure.isSignedOut) gate.shut();
  throw failure;
}

export function withBody(method: string, body: unknown): RequestInit {
  return { method, headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
}

/** Read an answer; what does not look as it should is a failure. */
export async function decoded<const S extends v.GenericSchema>(schema: S, response: Response): Promise<v.InferOutput<S>> {
  let body: unknown;
  try {
    body = await response.json();
  } catch (error) {
    throw isAbort(error) ? error : networkFailure(error);
  }
  const result = v.safeParse(schema, body);
  if (result.success) return result.output;
  const issue = result.issues[0];
  const where = v.getDotPath(issue) ?? "";
  throw new ApiFailure(response.status, { type: "unexpected_answer", message: `${where}: ${issue.message}` });
}

/** Who is signed in; asked while nobody is known to be, too. */
export const getMe = async (): Promise<wire.Me> => decoded(wire.Me, await ask("/api/me"));

/** End the session. Where the identity provider has a sign-out of its own, the answer is its address. */
export const signOut = async (): Promise<string | null> =>
  (await decoded(wire.SignedOut, await send("/auth/sign-out", { method: "POST" }))).location;

export const getModels = async (): Promise<wire.Models> => decoded(wire.Models, await send("/api/models"));

export const getBudgets = async (): Promise<readonly wire.Budget[]> =>
  (await decoded(wire.Budgets, await send("/api/budgets"))).budgets;

export async function listConversations(page: { after?: string; limit?: number } = {}): Promise<wire.ConversationPage> {
  const search = new URLSearchParams();
  if (page.after !== undefined) search.set("after", page.after);
  if (page.limit !== undefined) search.set("limit", String(page.limit));
  const query = search.toString();
  return decoded(wire.ConversationPage, await send(query ? `/api/conversations?${query}` : "/api/conversations"));
}

export async function searchConversations(query: string, signal: AbortSignal): Promise<wire.SearchHit[]> {
  const response = await send(`/api/conversations?${new URLSearchParams({ query }).toString()}`, { signal });
  return (await decoded(wire.SearchHits, response)).hits;
}

/** Which messages of a long conversation: through this one to the newest below it, or what leads to the one `before`. */
export interface Stretch {
  readonly limit?: number;
  readonly message?: string | null;
  readonly before?: string;
  /** What all replies took is wanted too. */
  readonly total?: boolean;
}

const STRETCH = 100;

export async function getConversation(id: string, wish: Stretch = {}): Promise<wire.OpenedConversation> {
  const search = new URLSearchParams({ limit: String(wish.limit ?? STRETCH) });
  if (wish.message != null) search.set("message", wish.message);
  if (wish.before !== undefined) search.set("before", wish.before);
  if (wish.total) search.set("total", "true");
  return decoded(wire.OpenedConversation, await send(`/api/conversations/${id}?${search.toString()}`));
}

export const changeConversation = async (id: string, changes: ConversationChanges): Promise<wire.Conversation> =>
  decoded(wire.Conversation, await send(`/api/conversations/${id}`, withBody("PATCH", changes)));

export async function deleteConversation(id: string): Promise<void> {
  await send(`/api/conversations/${id}`, { method: "DELETE" });
}

export const restoreConversation = async (id: string): Promise<wire.Conversation> =>
  decoded(wire.Conversation, await send(`/api/conversations/${id}/restore`, { method: "POST" }));

/** Start a turn, or follow it where this very reply is there already. The body is its event stream. */
export async function startTurn(body: TurnBody, signal: AbortSignal): Promise<Response> {
  await gate.opened(signal);
  return send("/api/turns", { ...withBody("POST", body), signal });
}

/** Say that a question to this model is being written. Whatever becomes of it, nobody needs to know. */
export async function expectTurn(model: string): Promise<void> {
  if (!gate.isShut) await fetch("/api/turns/expected", withBody("POST", { model })).catch(() => undefined);
}

export async function followTurn(reply: string, after: number, signal: AbortSignal): Promise<Response> {
  await gate.opened(signal);
  return send(`/api/turns/${reply}/events`, { headers: { "last-event-id": String(after) }, signal, cache: "no-store" });
}

export const stopTurn = async (reply: string): Promise<wire.Message> =>
  decoded(wire.Message, await send(`/api/turns/${reply}/stop`, { method: "POST" }));
