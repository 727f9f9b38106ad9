/** Signing in with a passkey. What talks to the browser's authenticators is fetched when it is needed. */
import type { PublicKeyCredentialRequestOptionsJSON } from "@simplewebauthn/browser";
import { askPasskey, givePasskey } from "../api/doors.ts";
import type { Next } from "../api/doors-wire.ts";

/** Nothing came of it: turned away, timed out, or the device has none. Which of these, browsers do not tell. */
export class NoPasskey extends Error {
  /** Where one was to be made: this device has one for this site already. */
  readonly isKnown: boolean;

  constructor(isKnown: boolean, options: ErrorOptions) {
    super("no passkey", options);
    this.isKnown = isKnown;
  }
}

export const knowsPasskeys = (): boolean => typeof globalThis.PublicKeyCredential === "function";

/** Throws `NoPasskey`, or `ApiFailure` where the server does not take it. */
export async function signInWithPasskey(): Promise<Next> {
  const [{ startAuthentication }, options] = await Promise.all([import("@simplewebauthn/browser"), askPasskey()]);
  const credential = await startAuthentication({ optionsJSON: options as unknown as PublicKeyCredentialRequestOptionsJSON }).catch(
    (error: unknown) => {
      throw new NoPasskey(false, { cause: error });
    },
  );
  return givePasskey(credential);
}
