"""What a report says of entries, for stores that read them one by one."""

from collections.abc import Iterable
from typing import Any

import msgspec

from daehwa.accounts.ledger import Entry, UsageQuery, UsageRow
from daehwa.accounts.spending import period_at
from daehwa.conversation.messages import Usage

_SUMS = ("calls", "input", "cached", "output", "reasoning", "cost", "reserved", "estimated", "unpriced", "failed")


def as_settled(entry: Entry) -> Entry:
    """Return an entry as it is kept when it is settled: with a usage, be it of nothing."""
    return entry if entry.usage is not None else msgspec.structs.replace(entry, usage=Usage(cost=0))


def is_asked_for(entry: Entry, query: UsageQuery) -> bool:
    """Return whether a report is about this entry."""
    return query.since <= entry.created < query.until and query.user in (None, entry.user)


def summed(entries: Iterable[Entry], *, by_group: bool) -> tuple[UsageRow, ...]:
    """Return the sums of entries by day, user, key, model and kind, in that order, then by groups where asked."""
    sums: dict[tuple[Any, ...], list[int]] = {}
    for entry in entries:
        groups = entry.groups if by_group else ()
        group = (period_at("day", entry.created), entry.user, entry.key, entry.model, entry.kind, groups)
        row = sums.setdefault(group, [0] * len(_SUMS))
        for at, amount in enumerate(_amounts(entry)):
            row[at] += amount
    ordered = sorted(sums, key=lambda group: (*(part or "" for part in group[:-1]), group[-1]))
    return tuple(usage_row((*group, *sums[group])) for group in ordered)


def usage_row(values: Iterable[Any]) -> UsageRow:
    """Return a row of these values: day, user, key, model, kind, groups, then the sums."""
    return UsageRow(**dict(zip(("day", "user", "key", "model", "kind", "groups", *_SUMS), values, strict=True)))


def _amounts(entry: Entry) -> tuple[int, ...]:
    is_open = entry.usage is None
    usage = entry.usage or Usage()
    return (
        1,
        usage.input,
        usage.cached,
        usage.output,
        usage.reasoning,
        entry.counted,
        entry.reserved if is_open else 0,
        usage.estimated,
        not is_open and usage.cost is None,
        entry.failed is not None,
    )
