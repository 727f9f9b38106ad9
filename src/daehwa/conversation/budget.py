"""What the core knows of budgets: what one is called that has no room for a call; and how money is written."""

from typing import Literal

import msgspec

BudgetKind = Literal["day", "month", "total"]


class NamedBudget(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """A budget that had no room: whose (`all`, `user:…`, `group:…`, `key:…`), micro-dollars, and when it renews (ms
    since 1970; null: never). `name` is what a group is called that was made on the page; its scope has its id.
    """

    scope: str
    kind: BudgetKind
    limit: int
    renews: int | None
    name: str | None = None


def kind_of(period: str) -> BudgetKind:
    """Return what kind of period this is: "2026-11-22", "2026-11" or "total"."""
    if period == "total":
        return "total"
    return "month" if len(period) == len("2026-11") else "day"


def dollars(amount: int) -> str:
    """Write micro-dollars as dollars: with cents, and with what is below a cent where there is something."""
    whole, rest = divmod(amount, 1_000_000)
    digits = f"{rest:06d}".rstrip("0").ljust(2, "0")
    return f"${whole:,}.{digits}"
