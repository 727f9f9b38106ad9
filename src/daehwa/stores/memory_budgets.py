"""Counters of money in memory, for tests and trials: what the process forgets with its end."""
# ruff: noqa: D102 - what the methods do is written once, on the protocol

from collections import Counter as Tally
from collections.abc import Sequence

from daehwa.accounts.ports import Budget
from daehwa.accounts.spending import Counter, check_limits, limits_of


class _Reservation:
    __slots__ = ("amount", "counters", "settled")

    def __init__(self, amount: int, counters: tuple[Counter, ...]) -> None:
        self.amount = amount
        self.counters = counters
        self.settled = False


class MemoryBudgets:
    """A `BudgetStore` that keeps everything in dictionaries. No method awaits, so each is one transaction."""

    def __init__(self) -> None:
        self._spent: Tally[Counter] = Tally()
        self._reservations: dict[str, _Reservation] = {}

    async def reserve(self, reservation: str, budgets: Sequence[Budget], amount: int, *, now: int) -> None:  # noqa: ARG002 - a dictionary has no age
        if reservation in self._reservations:
            return
        limits = limits_of(budgets)
        check_limits(limits, self._spent, amount)
        self._reservations[reservation] = _Reservation(amount, tuple(limits))
        self._spent.update(dict.fromkeys(limits, amount))

    async def settle(self, reservation: str, amount: int, *, now: int) -> None:  # noqa: ARG002 - a dictionary has no age
        kept = self._reservations.get(reservation)
        if kept is not None and not kept.settled:
            kept.settled = True
            self._spent.update(dict.fromkeys(kept.counters, amount - kept.amount))

    async def spent(self, scope: str, period: str) -> int:
        return self._spent[Counter(scope, period)]
