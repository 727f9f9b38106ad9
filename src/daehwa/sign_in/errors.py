"""Errors of local accounts, on the tree of `daehwa.accounts.errors`.

DaehwaError
├── CredentialsRefused    no account with this name, or not with this password or code (HTTP 401)
├── TooManyAttempts       too many wrong tries from here, or on this account (HTTP 429)
├── AccountsOff           there are no local accounts on this server (HTTP 404)
├── ProviderOff           no identity provider is set (HTTP 404)
├── MailOff               this server sends no mail (HTTP 404)
├── PasskeysOff           passkeys cannot be used here (HTTP 404)
├── LinkGone              the link was used, is too old, or was never one (HTTP 404)
├── CodesOn               an authenticator app is set up already (HTTP 409)
├── CodesOff              no authenticator app is set up (HTTP 409)
├── PasswordRefused       the password is not good enough (HTTP 400)
└── PasskeyRefused        the passkey cannot be accepted (HTTP 400)
"""

from daehwa.accounts.errors import SignInFailed
from daehwa.conversation.errors import Conflict, DaehwaError, InvalidRequest, NotFound


class CredentialsRefused(DaehwaError):  # noqa: N818 - errors state the fact
    """No account with this name, or not with this password or code: which of it is told to nobody."""

    type = "credentials_refused"


class TooManyAttempts(DaehwaError):  # noqa: N818 - errors state the fact
    """Too many wrong tries. `retry_after` is in seconds."""

    type = "too_many_attempts"

    def __init__(self, retry_after: float) -> None:
        self.retry_after = max(1, round(retry_after + 0.5))
        super().__init__(f"That was tried too often. Try again in {self.retry_after:,} seconds.")


class AccountsOff(NotFound):
    """There are no local accounts on this server."""

    type = "accounts_off"

    def __init__(self) -> None:
        super().__init__("This server has no accounts of its own. Whoever runs it can start it with --accounts.")


class ProviderOff(NotFound):
    """No identity provider is set on this server."""

    type = "provider_off"

    def __init__(self) -> None:
        super().__init__("No identity provider is set on this server. Sign in with a name and a password.")


class MailOff(NotFound):
    """No mail is sent from here."""

    type = "mail_off"

    def __init__(self) -> None:
        super().__init__("This server sends no mail. Ask whoever runs it for a new link.")


class PasskeysOff(NotFound):
    """Passkeys cannot be used here."""

    type = "passkeys_off"


class LinkGone(NotFound):
    """The link was used, is too old, or was never one."""

    type = "link_gone"

    def __init__(self) -> None:
        super().__init__("This link has been used or is too old. Ask for a new one.")


class CodesOn(Conflict):
    """An authenticator app is set up already."""

    type = "codes_on"

    def __init__(self) -> None:
        super().__init__("An authenticator app is set up already. Switch it off first, then set up the new one.")


class CodesOff(Conflict):
    """No authenticator app is set up."""

    type = "codes_off"

    def __init__(self) -> None:
        super().__init__("No authenticator app is set up. Set one up first; the recovery codes come with it.")


class PasswordRefused(InvalidRequest):
    """The password is not good enough; the sentence says why."""

    type = "password_refused"

    def __init__(self, reason: str) -> None:
        super().__init__(reason, param="password")


class PasskeyRefused(SignInFailed):
    """The passkey cannot be accepted. Why is in the log alone: it helps those who test what they can get away with."""

    type = "passkey_refused"

    def __init__(self) -> None:
        super().__init__("This passkey was not accepted. Try again, or sign in with your password.")
