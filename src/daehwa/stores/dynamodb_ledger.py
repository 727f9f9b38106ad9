"""The ledger in the table: an entry and all counters that count it in one transaction.

How this works and why. Where nothing counts a call, its entry is one put, at its end. A condition of DynamoDB cannot
calculate, so a counter's says that it is at most the limit less the amount, before the amount is added. The entry is
its own reservation: it is put once, and settled once. A counter is there once a budget asked for it, and begins with
the sum of the entries, which lie by days.

What a process knows of which counters there are is asked for again after a minute. Whoever has the budget knows its
counter; so only a process that still runs with settings from before the budget may miss one, for that minute.
"""
# ruff: noqa: D102 - what the methods do is written once, on the protocol

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any, Final

import msgspec
from aiodynamo.errors import ConditionalCheckFailed
from aiodynamo.expressions import Condition, F, HashKey, RangeKey
from aiodynamo.operations import Put, Update

from daehwa.accounts.ledger import Entry, UsageQuery, UsageRow
from daehwa.accounts.ports import Budget
from daehwa.accounts.spending import (
    TOTAL,
    Counter,
    bounds,
    counters_of,
    exceeded,
    is_counted_under,
    limits_of,
    period_at,
)
from daehwa.conversation.errors import StoreError
from daehwa.conversation.ids import now_ms
from daehwa.stores import dynamodb_table as names
from daehwa.stores.dynamodb_client import DynamoTable, Item, Operation, gathered
from daehwa.stores.records import storable
from daehwa.stores.usage_rows import as_settled, is_asked_for, summed

KEPT_DAYS: Final = 400
"""How long an entry is kept, and how far back a report goes."""
_DAY_SECONDS: Final = 24 * 60 * 60
_COUNTER_SECONDS: Final = 100 * _DAY_SECONDS
_KNOWN_SECONDS: Final = 60.0
_MOST_KNOWN: Final = 10_000
MOST_COUNTERS: Final = 99
"""With the entry itself that makes a hundred, which is all that a transaction takes."""
_ATTEMPTS: Final = 8
_DAYS_AT_ONCE: Final = 8
"""Days that are read side by side. Each of their entries takes about a kilobyte of a function's memory."""

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Entry)


class DynamoLedger:
    """A `LedgerStore` in the table of the AWS home. An entry's id is its own within a user's day."""

    def __init__(self, table: DynamoTable, *, clock: Callable[[], int] = now_ms) -> None:
        self._table = table
        self._clock = clock
        self._known: dict[Counter, tuple[float, bool]] = {}

    async def reserve(self, entry: Entry, budgets: Sequence[Budget]) -> None:
        entry, limits = msgspec.structs.replace(storable(entry), usage=None), limits_of(budgets)
        for _ in range(_ATTEMPTS):
            counters = tuple(dict.fromkeys((*limits, *await self._existing(entry))))
            if len(counters) > MOST_COUNTERS:
                raise StoreError(
                    f"{len(counters)} limits of money count for this call, and DynamoDB takes {MOST_COUNTERS} at once. "
                    "Have an admin take this person out of groups that have limits."
                )
            operations = [self._counting(each, entry, entry.reserved, limits.get(each)) for each in counters]
            is_new = F(names.PARTITION_KEY).does_not_exist()
            failed = await self._table.transact([Put(self._table.name, _item(entry, counters), is_new), *operations])
            if not failed or 0 in failed:
                return
            await self._meet([counters[at - 1] for at in sorted(failed)], limits, entry)
        raise _too_many()

    async def settle(self, entry: Entry) -> None:
        entry = as_settled(storable(entry))
        is_open = entry.reserved > 0  # most that reserve nothing were never opened, and need no look
        gone: set[Counter] = set()
        for _ in range(_ATTEMPTS):
            kept = await self._table.get(*_place(entry)) if is_open else None
            if kept is not None and names.SETTLED in kept:
                return
            if await self._settle(entry, kept, gone):
                return
            is_open = True
        raise _too_many()

    async def spent(self, scope: str, period: str) -> int:
        counter = Counter(scope, period)
        item = await self._counter(counter)
        # Who asks has a limit for it. It is begun, since whoever spends nothing would be summed up anew at each look.
        return await self._begin(counter) if item is None else int(item[names.SPENT])

    async def begin(self, budgets: Sequence[Budget]) -> None:
        counters = limits_of(budgets)
        there = await self._there(counters)
        await gathered(self._begin(counter) for counter in counters if counter not in there)

    async def counted(self, budgets: Sequence[Budget]) -> Mapping[Budget, int]:
        there = await self._there(limits_of(budgets))
        named = ((budget, Counter(budget.scope, budget.period)) for budget in budgets)
        return {budget: there[counter] for budget, counter in named if counter in there}

    async def usage(self, query: UsageQuery) -> tuple[UsageRow, ...]:
        rows: list[UsageRow] = []
        async for entries in self._entries(_days(query.since, query.until), user=query.user, as_of_now=False):
            rows += summed((entry for entry in entries if is_asked_for(entry, query)), by_group=query.by_group)
        return tuple(rows)

    async def forget(self, user: str) -> None:
        """Nothing says whose they were but the user's id, a random number: it is nobody's once the person is gone."""

    # ------------------------------------------------------------ entries

    async def _settle(self, entry: Entry, kept: Item | None, gone: set[Counter]) -> bool:
        """Write a settled entry and its counters in one step; return whether that was done. `gone` are counters that
        are not there any more; what is missed now is added to them.
        """
        difference, counters = entry.counted, set[Counter]()
        condition: Condition = F(names.PARTITION_KEY).does_not_exist()
        if kept is not None:
            opened = _decoder.decode(kept[names.VALUE])
            entry = msgspec.structs.replace(entry, created=opened.created, key=opened.key, groups=opened.groups)
            difference -= opened.reserved
            counters.update(Counter(*counter) for counter in kept[names.COUNTERS])
            condition = F(names.PARTITION_KEY).exists() & F(names.SETTLED).does_not_exist()
        if difference:
            counters.update(await self._existing(entry))
        asked = sorted(counters - gone, key=msgspec.structs.astuple) if difference else []
        if not asked:
            with suppress(ConditionalCheckFailed):
                await self._table.put(_item(entry), condition=condition)
                return True
            return False
        operations = [self._counting(counter, entry, difference) for counter in asked]
        failed = await self._table.transact([Put(self._table.name, _item(entry), condition), *operations])
        gone.update(asked[at - 1] for at in failed if at)
        return not failed

    async def _entries(self, days: Iterable[str], *, user: str | None, as_of_now: bool) -> AsyncIterator[list[Entry]]:
        """Yield the entries of a few days after the other: those of all would not fit into a function."""
        mine = None if user is None else RangeKey(names.SORT_KEY).begins_with(names.entry_sort(user))
        partitions = [HashKey(names.PARTITION_KEY, names.entry_partition(day)) for day in days]
        for at in range(0, len(partitions), _DAYS_AT_ONCE):
            found = await gathered(
                self._table.query(
                    partition if mine is None else partition & mine, fields=(names.VALUE,), as_of_now=as_of_now
                )
                for partition in partitions[at : at + _DAYS_AT_ONCE]
            )
            yield [_decoder.decode(item[names.VALUE]) for items in found for item in items]

    # ------------------------------------------------------------ counters

    def _counting(self, counter: Counter, entry: Entry, amount: int, limit: int | None = None) -> Operation:
        """Return what adds to a counter that is there and, with a limit, has room."""
        expression = F(names.SPENT).add(amount)
        if counter.period != TOTAL:
            expression &= F(names.EXPIRES).set(entry.created // 1000 + _COUNTER_SECONDS)
        # One that is not there has no room either: nothing is at most a number that is missing.
        condition = F(names.SPENT).exists() if limit is None else F(names.SPENT).lte(limit - amount)
        return Update(self._table.name, _counter_key(counter), expression, condition)

    async def _meet(self, failed: Sequence[Counter], limits: Mapping[Counter, int], entry: Entry) -> None:
        """Raise `BudgetExceeded` where a counter has no room; begin those that are not there."""
        for counter in failed:
            item = await self._counter(counter)
            if item is None and counter in limits:
                await self._begin(counter, caller=entry.user)
            elif item is not None and counter in limits and item[names.SPENT] + entry.reserved > limits[counter]:
                raise exceeded(counter, limits[counter], spent=int(item[names.SPENT]), amount=entry.reserved)
            elif item is None:
                self._note(counter, is_there=False)

    async def _begin(self, counter: Counter, *, caller: str | None = None) -> int:
        """Begin a counter that is not there, and return the sum that it begins with. Only a key's `caller` has calls
        with that key.
        """
        spent = await self._summed(counter, caller)
        (counted,) = new_counters([counter], now=self._clock(), spent=spent)
        with suppress(ConditionalCheckFailed):  # somebody else was quicker
            await self._table.put(counted, condition=F(names.PARTITION_KEY).does_not_exist())
        self._note(counter, is_there=True)
        return spent

    async def _summed(self, counter: Counter, caller: str | None) -> int:
        scope, _, name = counter.scope.partition(":")
        whose = {"user": name, "key": caller}.get(scope)
        days = _days(*(bounds(counter.period) or self._kept()))
        total = 0
        async for entries in self._entries(days, user=whose, as_of_now=True):
            total += sum(entry.counted for entry in entries if is_counted_under(entry, counter))
        return total

    def _kept(self) -> tuple[int, int]:
        now = self._clock()
        return now - (KEPT_DAYS - 1) * _DAY_SECONDS * 1000, now + 1

    async def _counter(self, counter: Counter) -> Item | None:
        return await self._table.get(names.budget_partition(counter.scope), counter.period)

    async def _there(self, counters: Iterable[Counter]) -> dict[Counter, int]:
        """Return what those of these counters say that there are."""
        places = {(names.budget_partition(counter.scope), counter.period): counter for counter in counters}
        items = await self._table.get_many(places)
        return {places[item[names.PARTITION_KEY], item[names.SORT_KEY]]: int(item[names.SPENT]) for item in items}

    async def _existing(self, entry: Entry) -> tuple[Counter, ...]:
        """Return the counters that count this entry, those of them that there are."""
        counters = counters_of(entry)
        now = monotonic()
        unknown = [counter for counter in counters if self._known.get(counter, (now, False))[0] <= now]
        if unknown:
            before = [self._known.get(counter) for counter in unknown]
            keys = [(names.budget_partition(counter.scope), counter.period) for counter in unknown]
            found = await self._table.get_many(keys)
            there = {(item[names.PARTITION_KEY], item[names.SORT_KEY]) for item in found}
            for counter, key, known in zip(unknown, keys, before, strict=True):
                if key in there or self._known.get(counter) is known:  # else somebody has begun it while we looked
                    self._note(counter, is_there=key in there)
        return tuple(counter for counter in counters if self._known.get(counter, (now, False))[1])

    def _note(self, counter: Counter, *, is_there: bool) -> None:
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[counter] = (monotonic() + _KNOWN_SECONDS, is_there)


def _days(since: int, until: int) -> Iterator[str]:
    """Yield the days from `since` to before `until`, the last `KEPT_DAYS` of them."""
    last = datetime.fromtimestamp((until - 1) / 1000, UTC).date()
    first = datetime.fromtimestamp(since / 1000, UTC).date()
    for back in range(min((last - first).days, KEPT_DAYS - 1), -1, -1):
        yield (last - timedelta(days=back)).isoformat()


def _place(entry: Entry) -> tuple[str, str]:
    return names.entry_partition(period_at("day", entry.created)), names.entry_sort(entry.user, entry.id)


def _item(entry: Entry, counters: Iterable[Counter] = ()) -> Item:
    partition, sort = _place(entry)
    item: dict[str, Any] = {
        names.PARTITION_KEY: partition,
        names.SORT_KEY: sort,
        names.VALUE: _encoder.encode(entry),
        names.EXPIRES: entry.created // 1000 + KEPT_DAYS * _DAY_SECONDS,
    }
    if entry.usage is not None:
        item[names.SETTLED] = True
    else:
        item[names.COUNTERS] = [[counter.scope, counter.period] for counter in counters]
    return item


def new_counters(counters: Iterable[Counter], *, now: int, spent: int = 0) -> list[Item]:
    """Return counters as they begin; all but those of all time expire."""
    until = now // 1000 + _COUNTER_SECONDS
    return [
        {**_counter_key(counter), names.SPENT: spent, **({} if counter.period == TOTAL else {names.EXPIRES: until})}
        for counter in counters
    ]


def _counter_key(counter: Counter) -> dict[str, str]:
    return {names.PARTITION_KEY: names.budget_partition(counter.scope), names.SORT_KEY: counter.period}


def _too_many() -> StoreError:
    return StoreError("Too many are spending at once. Try again in a moment.")
