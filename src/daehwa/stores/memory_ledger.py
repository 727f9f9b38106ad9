"""The ledger in memory, for tests and trials: what the process forgets with its end."""
# ruff: noqa: D102 - what the methods do is written once, on the protocol

from collections.abc import Mapping, Sequence

import msgspec

from daehwa.accounts.ledger import Entry, UsageQuery, UsageRow
from daehwa.accounts.ports import Budget
from daehwa.accounts.spending import Counter, check_limits, is_counted_under, limits_of
from daehwa.stores.forgotten import Forgotten
from daehwa.stores.usage_rows import as_settled, is_asked_for, summed


class MemoryLedger:
    """A `LedgerStore` that keeps every entry in a dictionary, and counts them when it is asked. No method awaits, so
    each is one transaction.
    """

    def __init__(self) -> None:
        self._entries: dict[tuple[int, str], Entry] = {}
        self._forgotten = Forgotten()

    async def reserve(self, entry: Entry, budgets: Sequence[Budget]) -> None:
        if _place(entry) in self._entries:
            return
        limits = limits_of(budgets)
        check_limits(limits, {counter: self._counted(counter) for counter in limits}, entry.reserved)
        self._entries[_place(entry)] = msgspec.structs.replace(entry, usage=None)

    async def settle(self, entry: Entry) -> None:
        entry = as_settled(self._forgotten.unnamed(entry))
        kept = self._entries.get(_place(entry))
        if kept is None:
            self._entries[_place(entry)] = entry
        elif kept.usage is None:
            opened = {"user": kept.user, "key": kept.key, "groups": kept.groups, "conversation": kept.conversation}
            self._entries[_place(entry)] = msgspec.structs.replace(entry, **opened, reserved=kept.reserved)

    async def spent(self, scope: str, period: str) -> int:
        return self._counted(Counter(scope, period))

    async def begin(self, budgets: Sequence[Budget]) -> None:
        """Nothing: what is counted is summed up each time."""

    async def counted(self, budgets: Sequence[Budget]) -> Mapping[Budget, int]:
        return {budget: self._counted(Counter(budget.scope, budget.period)) for budget in budgets}

    async def usage(self, query: UsageQuery) -> tuple[UsageRow, ...]:
        entries = (entry for entry in self._entries.values() if is_asked_for(entry, query))
        return summed(entries, by_group=query.by_group)

    async def forget(self, user: str) -> None:
        nobody = self._forgotten.add(user)
        for entry in [entry for entry in self._entries.values() if entry.user == user]:
            self._entries[_place(entry)] = msgspec.structs.replace(entry, user=nobody, conversation=None)

    def _counted(self, counter: Counter) -> int:
        return sum(entry.counted for entry in self._entries.values() if is_counted_under(entry, counter))


def _place(entry: Entry) -> tuple[int, str]:
    return entry.created, entry.id
