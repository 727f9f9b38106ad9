"""Who signs in: frozen values. Times are milliseconds since 1970; every token is kept as the SHA-256 of its text."""

import unicodedata
from typing import Final, Literal, TypeAlias

import msgspec

from daehwa.accounts.unshown import Unshown

Role: TypeAlias = Literal["admin", "member", "guest"]

LOCAL_ISSUER: Final = "local"
"""The issuer of people who sign in with a password or a passkey of this server's own; their subject is their login."""


SEEN_EVERY_MS: Final = 5 * 60 * 1000
"""How often it is written down at most that a session is in use."""
MOST_SESSIONS: Final = 50
"""In so many browsers a person is signed in at most; where there are more, the oldest sessions end."""


class User(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A person. `id` is a UUIDv7 (or the local owner's fixed id), and owns conversations; it never changes.

    `issuer` and `subject` are those of OpenID Connect, or those of a local account, together unique; both empty for the
    local owner. `groups` are ids of stored groups, of removed ones too. `claimed` are those of the identity provider's
    groups that the settings gave a role for when they last signed in. `disabled` is since when they may not come in,
    `leaving` since when all that is theirs is being deleted.
    """

    id: str
    issuer: str = ""
    subject: str = ""
    email: str | None = None
    name: str = ""
    role: Role = "member"
    groups: tuple[str, ...] = ()
    claimed: tuple[str, ...] = ()
    created: int = 0
    last_seen: int = 0
    disabled: int | None = None
    leaving: int | None = None

    @property
    def login(self) -> str | None:
        """The name or e-mail address by which somebody with a local account signs in, folded; else None."""
        return self.subject if self.issuer == LOCAL_ISSUER else None

    @property
    def called(self) -> str:
        """What they are called in a list."""
        return self.name or self.login or self.email or self.id

    @property
    def is_enabled_admin(self) -> bool:
        """Whether they can come in and run this server."""
        return self.role == "admin" and self.disabled is None


class NewUser(msgspec.Struct, frozen=True, kw_only=True):
    """A local account to be made. `login` as it was typed: it is folded by the store."""

    login: str
    name: str = ""
    email: str | None = None
    role: Role = "member"
    groups: tuple[str, ...] = ()


class UserChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What to change of a person; UNSET leaves as is. `disabled` None lets them in again."""

    role: Role | msgspec.UnsetType = msgspec.UNSET
    groups: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    name: str | msgspec.UnsetType = msgspec.UNSET
    email: str | msgspec.UnsetType | None = msgspec.UNSET
    disabled: int | msgspec.UnsetType | None = msgspec.UNSET
    leaving: int | msgspec.UnsetType = msgspec.UNSET

    def of(self, user: User) -> User:
        """Return a person with these changes."""
        given = {name: getattr(self, name) for name in self.__struct_fields__}
        return msgspec.structs.replace(
            user, **{name: value for name, value in given.items() if value is not msgspec.UNSET}
        )


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """What an identity provider says of somebody who has just signed in, checked. `email` only where verified;
    `claimed` are those of their groups there that the settings give a role for.
    """

    issuer: str
    subject: str
    email: str | None
    name: str
    claimed: tuple[str, ...] = ()


class Session(Unshown, frozen=True, kw_only=True):
    """A browser that is signed in. `id` is the SHA-256 (hex) of the cookie's text, which is stored nowhere.

    `id_token` is kept for the provider's own sign-out (`id_token_hint`), where it has one. `address` and `agent` are
    what the person is shown of it, so that they know which browser it is.
    """

    id: str
    user: str
    created: int
    expires: int
    id_token: str | None = None
    last_seen: int = 0
    address: str | None = None
    agent: str | None = None


class SignInAttempt(Unshown, frozen=True, kw_only=True):
    """A sign-in that has been begun and not come back. `id` is the SHA-256 (hex) of its `state`; taken once.

    `browser` is the SHA-256 of the cookie that ties the attempt to the browser that began it; `verifier` is PKCE's.
    """

    id: str
    browser: str
    nonce: str
    verifier: str
    return_to: str
    expires: int


def folded_login(text: str) -> str:
    """Return a login as it is kept and compared: without regard to case, width or surrounding spaces."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).strip()
