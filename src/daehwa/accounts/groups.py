"""Groups of people that admins make in the page: what their members may ask, spend, and are instructed with."""

import msgspec

from daehwa.conversation.budget import BudgetKind


class Group(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A group. `models` are ids, bare names, aliases or patterns with `*`; empty: every model.

    Money in micro-dollars a day, a month and in all; None: no limit of its own. `instructions` are given to the model
    before what its members ask. `claim` is the value of the identity provider's claim that puts people in it.
    """

    id: str
    name: str
    models: tuple[str, ...] = ()
    day: int | None = None
    month: int | None = None
    total: int | None = None
    instructions: str = ""
    claim: str | None = None
    created: int = 0

    @property
    def money(self) -> dict[BudgetKind, int]:
        """The limits in micro-dollars, by kind of period."""
        limits: dict[BudgetKind, int | None] = {"day": self.day, "month": self.month, "total": self.total}
        return {kind: limit for kind, limit in limits.items() if limit is not None}
