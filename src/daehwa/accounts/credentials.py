"""How people with a local account prove who they are: frozen values that never show themselves in a log."""

from daehwa.accounts.unshown import Unshown


class Password(Unshown, frozen=True, kw_only=True):
    """A password's hash, in the form that names how it was made (`$argon2id$…`), and when it was set."""

    user: str
    hash: str
    changed: int


class Totp(Unshown, frozen=True, kw_only=True):
    """An authenticator app. `confirmed` is when a first code of it came; until then it is not asked for.

    `last_step` is the number of the last time step whose code was used: none up to it is used again.
    """

    user: str
    secret: bytes
    confirmed: int | None = None
    last_step: int = 0


class Passkey(Unshown, frozen=True, kw_only=True):
    """A WebAuthn credential. `id` is the credential's id in base64url, unique; `public_key` in COSE form."""

    id: str
    user: str
    public_key: bytes
    sign_count: int
    name: str
    transports: tuple[str, ...] = ()
    created: int
    last_used: int | None = None


class Credentials(Unshown, frozen=True, kw_only=True):
    """All that one person can prove themselves with. `recovery_codes` is how many are left; passkeys by creation."""

    password: Password | None = None
    totp: Totp | None = None
    recovery_codes: int = 0
    passkeys: tuple[Passkey, ...] = ()

    @property
    def asks_for_code(self) -> bool:
        """Whether the password alone is not enough."""
        return self.totp is not None and self.totp.confirmed is not None
