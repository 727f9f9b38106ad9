/** The routes of one's own account, one function each; only its screen loads this. */
import * as wire from "./account-wire.ts";
import { decoded, send, withBody } from "./client.ts";
import { PasskeyOptions } from "./doors-wire.ts";

const OWN = "/api/account";
/** Where all that is one's own is downloaded. */
export const exportAddress = `${OWN}/export`;

export const getAccount = async (): Promise<wire.Account> => decoded(wire.Account, await send(OWN));

export const changeAccount = async (name: string): Promise<wire.Account> =>
  decoded(wire.Account, await send(OWN, withBody("PATCH", { name })));

export async function changePassword(current: string, next: string): Promise<void> {
  await send(`${OWN}/password`, withBody("POST", { current, new: next }));
}

export const beginTotp = async (password: string): Promise<wire.TotpBegun> =>
  decoded(wire.TotpBegun, await send(`${OWN}/totp`, withBody("POST", { password })));

export const confirmTotp = async (code: string): Promise<readonly string[]> =>
  (await decoded(wire.RecoveryCodes, await send(`${OWN}/totp/confirm`, withBody("POST", { code })))).recovery_codes;

/** New recovery codes; those from before are void. */
export const makeRecoveryCodes = async (password: string): Promise<readonly string[]> =>
  (await decoded(wire.RecoveryCodes, await send(`${OWN}/totp/recovery-codes`, withBody("POST", { password })))).recovery_codes;

export async function endTotp(password: string): Promise<void> {
  await send(`${OWN}/totp/off`, withBody("POST", { password }));
}

export const askNewPasskey = async (password: string) =>
  (await decoded(PasskeyOptions, await send(`${OWN}/passkeys/options`, withBody("POST", { password })))).publicKey;

export const addPasskey = async (name: string, credential: unknown): Promise<wire.Passkey> =>
  decoded(wire.Passkey, await send(`${OWN}/passkeys`, withBody("POST", { name, credential })));

export async function removePasskey(id: string): Promise<void> {
  await send(`${OWN}/passkeys/${encodeURIComponent(id)}`, { method: "DELETE" });
}

export async function endSession(id: string): Promise<void> {
  await send(`${OWN}/sessions/${encodeURIComponent(id)}`, { method: "DELETE" });
}

export async function endOtherSessions(): Promise<void> {
  await send(`${OWN}/sessions/end-others`, { method: "POST" });
}

/** Delete the account and all that is its own, for good. `password` is the proof, where there is one. */
export async function deleteAccount(password: string | null): Promise<void> {
  await send(OWN, withBody("DELETE", password === null ? {} : { password }));
}
