/** The routes of coming in, one function each; they are asked while nobody is signed in, too. */
import { ask, decoded, withBody } from "./client.ts";
import * as wire from "./doors-wire.ts";

/** What is wanted of a link: `login` and `name` are not there for a new password. */
export interface LinkWish {
  readonly token: string;
  readonly password: string;
  readonly login?: string;
  readonly name?: string;
}

const post = (path: string, body: unknown): Promise<Response> => ask(path, withBody("POST", body));
const next = async (path: string, body: unknown): Promise<wire.Next> => (await decoded(wire.Next, await post(path, body))).next;

export const getDoors = async (): Promise<wire.Doors> => decoded(wire.Doors, await ask("/auth/doors"));

export const givePassword = (login: string, password: string): Promise<wire.Next> => next("/auth/password", { login, password });

export const giveCode = (code: string): Promise<wire.Next> => next("/auth/code", { code });

export const askPasskey = async () => (await decoded(wire.PasskeyOptions, await post("/auth/passkey/options", {}))).publicKey;

export const givePasskey = (credential: unknown): Promise<wire.Next> => next("/auth/passkey", { credential });

/** Have a link sent by mail, if there is such an account; that is not told. */
export async function askForReset(login: string): Promise<void> {
  await post("/auth/reset", { login });
}

export const lookAtLink = async (token: string): Promise<wire.LinkSeen> => decoded(wire.LinkSeen, await post("/auth/link", { token }));

export const acceptLink = (wish: LinkWish): Promise<wire.Next> => next("/auth/link/accept", wish);
