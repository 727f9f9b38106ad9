/** A new passkey, made by the browser and kept by the server. */
import type { PublicKeyCredentialCreationOptionsJSON } from "@simplewebauthn/browser";
import { addPasskey, askNewPasskey } from "../api/account.ts";
import type { Passkey } from "../api/account-wire.ts";
import { NoPasskey } from "../sign-in/passkey.ts";

/** Throws `NoPasskey`, or `ApiFailure` where the server does not take it. */
export async function makePasskey(name: string, password: string): Promise<Passkey> {
  const [{ startRegistration, WebAuthnError }, options] = await Promise.all([import("@simplewebauthn/browser"), askNewPasskey(password)]);
  const credential = await startRegistration({ optionsJSON: options as unknown as PublicKeyCredentialCreationOptionsJSON }).catch(
    (error: unknown) => {
      const isKnown = error instanceof WebAuthnError && error.code === "ERROR_AUTHENTICATOR_PREVIOUSLY_REGISTERED";
      throw new NoPasskey(isKnown, { cause: error });
    },
  );
  return addPasskey(name, credential);
}
