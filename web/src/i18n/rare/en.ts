/** English, for what is seldom said. */
import { params } from "@nanostores/i18n";

/** Errors that only the screens meet, or only programs, by their `type`. */
export const rareErrors = {
  login_taken: "Somebody else signs in by this name already. Choose another one.",
  group_name_taken: "There is a group of this name already. Choose another one.",
  mail_off: "This server sends no mail. Ask an admin for a link.",
  password_refused: "This password is among the first that somebody would try. A few words make a better one.",
  owned_by_another: "This conversation belongs to somebody else here.",
  user_not_found: "There is no such person any more.",
  group_not_found: "There is no such group any more.",
  held_by_admin:
    "You could come back at once, without the role, the groups or the budget that you have here. Ask an admin to delete your account.",
  last_admin: "This is the last admin who can sign in. Make somebody else an admin first.",
  passkey_not_found: "There is no such passkey any more.",
  session_not_found: "That session has ended already.",
  link_gone: "This link was used already, or is too old. Ask for a new one.",
  person_leaving: "All that is theirs is being deleted. Delete them once more to go on with that.",
  invitation_not_found: "This link was used already, is too old, or was revoked.",
  provider_not_found: "There is no such provider any more.",
  codes_off: "No authenticator app is set up. Set one up first.",
  codes_on: "An authenticator app is set up already. Switch it off first.",
  key_not_found: "There is no such key, or it is not yours.",
  key_refused: "This API key is not accepted.",
  key_missing: "An API key is needed for this.",
  key_unknown: "This API key is not one of this server’s.",
  key_expired: "This API key has expired.",
  key_revoked: "This API key was revoked.",
  model_not_allowed: "This API key may not use this model.",
  rate_exceeded: "That was more than is allowed in a minute.",
};

export const lost = {
  title: "A link for a new password",
  why: "Write by what name you sign in. The link is sent to the e-mail address of that account.",
  send: "Send the link",
  sent: "If there is such an account, and it has an e-mail address, a link is on its way there. It works once, for an hour.",
};

export const printing = {
  gathering: "The whole conversation is being loaded for printing…",
};

/** Why a text file is not taken. */
export const files = {
  noText: params("“{name}” is no image and no text, so it cannot be added."),
  fileTooLong: params("“{name}” is too long. The limit is {limit} characters."),
};
