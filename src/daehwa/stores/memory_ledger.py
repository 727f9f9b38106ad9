"""The ledger in memory, for tests and trials: what the process forgets with its end."""
# ruff: noqa: D102 - what the methods do is written once, on the protocol

from collections.abc import Iterable, Sequence

import msgspec

from daehwa.accounts.ledger import Entry, UsageQuery, UsageRow
from daehwa.accounts.ports import Budget
from daehwa.accounts.spending import Counter, check_limits, limits_of, period_at
from daehwa.conversation.messages import Usage


class MemoryLedger:
    """A `LedgerStore` that keeps every entry and adds up when asked. No method awaits, so each is one transaction."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}

    async def reserve(self, entry: Entry, budgets: Sequence[Budget]) -> None:
        if entry.id in self._entries:
            return
        limits = limits_of(budgets)
        check_limits(limits, {counter: self._spent(counter) for counter in limits}, entry.reserved)
        self._entries[entry.id] = entry

    async def settle(self, entry: Entry) -> None:
        known = self._entries.get(entry.id)
        if known is None or known.usage is None:
            self._entries[entry.id] = entry

    async def spent(self, scope: str, period: str) -> int:
        return self._spent(Counter(scope, period))

    async def usage(self, query: UsageQuery) -> tuple[UsageRow, ...]:
        found = [
            entry
            for entry in self._entries.values()
            if query.since <= entry.created < query.until and query.user in {None, entry.user}
        ]
        return summed(found)

    def _spent(self, counter: Counter) -> int:
        return sum(entry.counted for entry in self._entries.values() if _is_within(entry, counter))


def summed(entries: Iterable[Entry]) -> tuple[UsageRow, ...]:
    """Return the sums of entries by day, user, key, model and kind, in that order."""
    rows: dict[tuple[str, ...], UsageRow] = {}
    for entry in entries:
        day = period_at("day", entry.created)
        place = (day, entry.user, entry.key or "", entry.model, entry.kind)
        row = rows.get(place) or UsageRow(
            day=day, user=entry.user, key=entry.key, model=entry.model, kind=entry.kind, calls=0
        )
        rows[place] = _with(row, entry)
    return tuple(rows[place] for place in sorted(rows))


def _with(row: UsageRow, entry: Entry) -> UsageRow:
    usage, is_open = entry.usage or Usage(), entry.usage is None
    return msgspec.structs.replace(
        row,
        calls=row.calls + 1,
        input=row.input + usage.input,
        cached=row.cached + usage.cached,
        output=row.output + usage.output,
        reasoning=row.reasoning + usage.reasoning,
        cost=row.cost + entry.counted,
        reserved=row.reserved + (entry.reserved if is_open else 0),
        estimated=row.estimated + usage.estimated,
        unpriced=row.unpriced + (not is_open and usage.cost is None),
        failed=row.failed + (entry.failed is not None),
    )


def _is_within(entry: Entry, counter: Counter) -> bool:
    periods = {"total", period_at("day", entry.created), period_at("month", entry.created)}
    return counter.scope in entry.scopes and counter.period in periods
