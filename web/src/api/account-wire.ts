/** What the server says of one's own account, decoded. Times are ms since 1970. */
import * as v from "valibot";

export const Passkey = v.object({ id: v.string(), name: v.string(), created: v.number(), last_used: v.nullable(v.number()) });

/** A browser that is signed in; `current` is this one. */
export const Session = v.object({
  id: v.string(),
  created: v.number(),
  last_seen: v.number(),
  address: v.nullable(v.string()),
  agent: v.nullable(v.string()),
  current: v.boolean(),
});

/** `login` is null for whoever comes through an identity provider; so many `recovery_codes` are left; `admin_links` is when links
 * that admins had made set the password. */
export const Account = v.object({
  user: v.object({
    id: v.string(),
    name: v.string(),
    email: v.nullable(v.string()),
    login: v.nullable(v.string()),
    role: v.string(),
    groups: v.array(v.string()),
  }),
  password: v.boolean(),
  admin_links: v.array(v.number()),
  totp: v.boolean(),
  recovery_codes: v.number(),
  passkeys: v.array(Passkey),
  sessions: v.array(Session),
});

/** The same twice: as it is typed, and as it stands in a QR code. */
export const TotpBegun = v.object({ secret: v.string(), uri: v.string() });

/** The only time that they are told. */
export const RecoveryCodes = v.object({ recovery_codes: v.array(v.string()) });

export type Passkey = v.InferOutput<typeof Passkey>;
export type Session = v.InferOutput<typeof Session>;
export type Account = v.InferOutput<typeof Account>;
export type TotpBegun = v.InferOutput<typeof TotpBegun>;
