/** The routes that are for admins, one function each; only their screens load this. */
import * as wire from "./admin-wire.ts";
import { decoded, send, withBody } from "./client.ts";
import { ConversationPage, OpenedConversation } from "./wire.ts";

export interface PersonChanges {
  readonly role?: wire.Role;
  readonly groups?: readonly string[];
  readonly name?: string;
  readonly email?: string | null;
  readonly disabled?: boolean;
}

export interface InvitationWish {
  readonly email?: string;
  readonly role: wire.Role;
  readonly groups: readonly string[];
}

/** Money in micro-dollars, null: no limit. */
export interface GroupWish {
  readonly name: string;
  readonly models: readonly string[];
  readonly day: number | null;
  readonly month: number | null;
  readonly total: number | null;
  readonly instructions: string;
  readonly claim: string | null;
}

const at = (path: string, id: string, more = ""): string => `/api/${path}/${encodeURIComponent(id)}${more}`;

/** Where the whole audit log is downloaded. */
export const auditExportAddress = "/api/audit/export";

export async function listPeople(page: { query: string; after: string | null; limit: number }): Promise<wire.People> {
  const search = new URLSearchParams({ limit: String(page.limit) });
  if (page.query !== "") search.set("query", page.query);
  if (page.after !== null) search.set("after", page.after);
  return decoded(wire.People, await send(`/api/people?${search.toString()}`));
}

export const changePerson = async (id: string, changes: PersonChanges): Promise<wire.Person> =>
  decoded(wire.Person, await send(at("people", id), withBody("PATCH", changes)));

export async function deletePerson(id: string): Promise<void> {
  await send(at("people", id), { method: "DELETE" });
}

/** A link for a new password; with `second_factor` their app and passkeys are taken away as well. */
export const resetPerson = async (id: string, second_factor: boolean): Promise<{ url: string; expires: number }> =>
  decoded(wire.MadeReset, await send(at("people", id, "/reset"), withBody("POST", { second_factor })));

export async function signOutPerson(id: string): Promise<void> {
  await send(at("people", id, "/sign-out"), { method: "POST" });
}

export const listInvitations = async (): Promise<readonly wire.Invitation[]> =>
  (await decoded(wire.Invitations, await send("/api/invitations"))).invitations;

export const makeInvitation = async (wish: InvitationWish): Promise<{ url: string; invitation: wire.Invitation }> =>
  decoded(wire.MadeInvitation, await send("/api/invitations", withBody("POST", wish)));

export async function revokeInvitation(id: string): Promise<void> {
  await send(at("invitations", id), { method: "DELETE" });
}

export const listGroups = async (): Promise<readonly wire.Group[]> => (await decoded(wire.Groups, await send("/api/groups"))).groups;

export const makeGroup = async (wish: GroupWish): Promise<wire.Group> =>
  decoded(wire.Group, await send("/api/groups", withBody("POST", wish)));

export const changeGroup = async (id: string, wish: GroupWish): Promise<wire.Group> =>
  decoded(wire.Group, await send(at("groups", id), withBody("PATCH", wish)));

export async function removeGroup(id: string): Promise<void> {
  await send(at("groups", id), { method: "DELETE" });
}

export const listProviders = async (): Promise<wire.Providers> => decoded(wire.Providers, await send("/api/providers"));

export const testProvider = async (name: string): Promise<wire.Trial> =>
  decoded(wire.Trial, await send(at("providers", name, "/test"), withBody("POST", {})));

export const getInstallation = async (): Promise<wire.Installation> => decoded(wire.Installation, await send("/api/installation"));

export const changeInstallation = async (changes: Partial<wire.Installation>): Promise<wire.Installation> =>
  decoded(wire.Installation, await send("/api/installation", withBody("PATCH", changes)));

export const listAuditEvents = async (before: number | null): Promise<wire.AuditPage> =>
  decoded(wire.AuditPage, await send(before === null ? "/api/audit" : `/api/audit?before=${String(before)}`));

export const checkAuditLog = async (): Promise<wire.AuditChecked> => decoded(wire.AuditChecked, await send("/api/audit/check"));

/** A person's conversations, where admins may read here; each page and each conversation that is asked for is written down. */
export const listPersonsConversations = async (id: string, after: string | null): Promise<ConversationPage> =>
  decoded(ConversationPage, await send(at("people", id, `/conversations${after === null ? "" : `?${new URLSearchParams({ after }).toString()}`}`)));

export const readPersonsConversation = async (id: string, conversation: string): Promise<OpenedConversation> =>
  decoded(OpenedConversation, await send(at("people", id, `/conversations/${encodeURIComponent(conversation)}`)));
