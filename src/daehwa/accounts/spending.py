"""The rules of budgets, pure: which of them count, and which would be overspent."""

from collections.abc import Mapping, Sequence

import msgspec

from daehwa.accounts.errors import BudgetExceeded
from daehwa.accounts.ports import Budget


class Counter(msgspec.Struct, frozen=True, array_like=True):
    """What money is counted under."""

    scope: str
    period: str


def limits_of(budgets: Sequence[Budget]) -> dict[Counter, int]:
    """Return each counter's limit, the lowest where a counter is named twice."""
    limits: dict[Counter, int] = {}
    for budget in budgets:
        counter = Counter(budget.scope, budget.period)
        limits[counter] = min(budget.limit, limits.get(counter, budget.limit))
    return limits


def check_limits(limits: Mapping[Counter, int], spent: Mapping[Counter, int], amount: int) -> None:
    """Raise `BudgetExceeded` for the first counter that would pass its limit."""
    for counter, limit in limits.items():
        if spent.get(counter, 0) + amount > limit:
            raise exceeded(counter, limit)


def exceeded(counter: Counter, limit: int) -> BudgetExceeded:
    """Return the error that says which budget is used up."""
    until = "" if counter.period == "total" else " wait for the next period or"
    return BudgetExceeded(
        f"The budget of ${limit / 1_000_000:.2f} for '{counter.scope}' ({counter.period}) is used up:{until} ask "
        "whoever runs this server to raise it.",
        scope=counter.scope,
        period=counter.period,
        limit=limit,
    )
