"""Who signs in: frozen values. Times are milliseconds since 1970; every token is kept as the SHA-256 of its text."""

from typing import Literal, TypeAlias

import msgspec

from daehwa.accounts.unshown import Unshown

Role: TypeAlias = Literal["admin", "member"]


class User(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A person. `id` is a UUIDv7 (or the local owner's fixed id), and owns conversations; it never changes.

    `issuer` and `subject` are those of OpenID Connect, together unique; both empty for the local owner.
    """

    id: str
    issuer: str = ""
    subject: str = ""
    email: str | None = None
    name: str = ""
    role: Role = "member"
    created: int = 0
    last_seen: int = 0


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """What an identity provider says of somebody who has just signed in, checked. `email` only where verified."""

    issuer: str
    subject: str
    email: str | None
    name: str


class Session(Unshown, frozen=True, kw_only=True):
    """A browser that is signed in. `id` is the SHA-256 (hex) of the cookie's text, which is stored nowhere.

    `id_token` is kept for the provider's own sign-out (`id_token_hint`), where it has one.
    """

    id: str
    user: str
    created: int
    expires: int
    id_token: str | None = None


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
