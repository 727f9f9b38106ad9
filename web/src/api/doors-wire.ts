/** What the server says of its doors, decoded. */
import * as v from "valibot";

/** By which doors people come in; `mail`: a new password can be asked for; `first`: there is no admin yet. */
export const Doors = v.object({
  password: v.optional(v.boolean(), false),
  passkey: v.optional(v.boolean(), false),
  oidc: v.optional(v.boolean(), false),
  oidc_name: v.nullish(v.string()),
  mail: v.optional(v.boolean(), false),
  first: v.optional(v.boolean(), false),
});

/** `code`: an authenticator app's code is asked for as well. */
export const Next = v.object({ next: v.picklist(["done", "code"]) });

/** What `navigator.credentials` is to be asked; the library that asks knows its shape. */
export const PasskeyOptions = v.object({ publicKey: v.looseObject({ challenge: v.string() }) });

export const LinkSeen = v.object({
  kind: v.picklist(["first_admin", "invite", "reset"]),
  login: v.nullable(v.string()),
  email: v.nullable(v.string()),
  role: v.string(),
  expires: v.number(),
});

export type Doors = v.InferOutput<typeof Doors>;
export type Next = v.InferOutput<typeof Next>["next"];
export type LinkSeen = v.InferOutput<typeof LinkSeen>;
