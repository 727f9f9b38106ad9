"""Keys by which programs ask in a person's name: frozen values. A key's text is shown once and stored nowhere."""

import msgspec

from daehwa.accounts.people import User
from daehwa.accounts.unshown import Unshown
from daehwa.conversation.budget import BudgetKind
from daehwa.conversation.terms import OPEN_TERMS, Terms


class KeyLimits(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a key may do: money in micro-dollars a day, a month and in all, requests and tokens a minute.

    `models` are ids, bare names, aliases, or patterns with `*`; empty: every model. None: no limit of its own.
    """

    models: tuple[str, ...] = ()
    day: int | None = None
    month: int | None = None
    total: int | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None

    @property
    def money(self) -> dict[BudgetKind, int]:
        """The limits in micro-dollars, as a `PaidCall` wants them."""
        limits: dict[BudgetKind, int | None] = {"day": self.day, "month": self.month, "total": self.total}
        return {kind: limit for kind, limit in limits.items() if limit is not None}


class ApiKey(Unshown, frozen=True, kw_only=True):
    """A key of `user`. `digest` is the SHA-256 (hex) of its text, `prefix` the text's beginning, which is shown.

    Times are milliseconds since 1970.
    """

    id: str
    user: str
    name: str
    prefix: str
    digest: str
    limits: KeyLimits = KeyLimits()
    created: int
    expires: int | None = None
    last_used: int | None = None
    revoked: int | None = None


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks: a person, by a key of theirs or without one, under the terms of their groups."""

    user: User
    key: ApiKey | None = None
    terms: Terms = OPEN_TERMS
