"""The ledger in the database file of the conversations: what is reserved at once, what is settled with what comes next.

How this works and why. A reservation is written on the spot (`sqlite_jotter`), since its call waits for it, together
with those of the same turn of the loop: a process that ends in any way leaves its reservations behind. What is settled
is written with the next of them, within a turn too: until then it counts as what was reserved for it, and whoever asks
finds it written. What several calls of a turn change in the same counter, changes it once: where all have room together
each of them has it, and where they have not, each is looked at alone. A counter is there once a budget asked for it: it
begins with the sum of its entries, in the transaction that needs it, and from then on every entry that it counts
changes it in the transaction that changes the entry. Nothing else ever writes there, so it is the sum of its entries
whatever breaks off. A refusal is a result and no fault, so that counters which begin with it stay: the next call finds
them.
"""
# ruff: noqa: D102 - what the methods do is written once, on the protocol
# ruff: noqa: S608 - what is put together are column names of ours

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from daehwa.accounts.errors import BudgetExceeded
from daehwa.accounts.ledger import Entry, UsageQuery, UsageRow
from daehwa.accounts.ports import Budget, Settling
from daehwa.accounts.spending import Counter, bounds, check_limits, counters_of, limits_of, period_at
from daehwa.conversation.messages import Usage
from daehwa.stores.forgotten import Forgotten
from daehwa.stores.records import storable
from daehwa.stores.sqlite import SqliteStore
from daehwa.stores.sqlite_jotter import NotNow, TooMuchToJot
from daehwa.stores.usage_rows import as_settled, usage_row

_DAY_MS: Final = 24 * 60 * 60 * 1000
_OPENED: Final = ("created", "id", "user", "key", "groups", "reserved", "conversation")
_SETTLED: Final = (
    *("model", "kind", "settled", "input", "cached", "output", "reasoning"),
    *("cost", "estimated", "seconds", "images", "failed"),
)
_INSERT: Final = (
    f"INSERT INTO entries ({', '.join((*_OPENED, *_SETTLED))}) VALUES ({', '.join('?' * len(_OPENED + _SETTLED))})"
)
# What an open entry says is bound, and no more: of each value that is none SQLite's module asks how it is to be kept.
_INSERT_OPEN: Final = (
    f"INSERT INTO entries ({', '.join((*_OPENED, *_SETTLED))}) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, 0, 0, NULL, 0, 0, 0, NULL)"
)
_INSERT_NEW: Final = f"{_INSERT} ON CONFLICT (created, id) DO NOTHING"
_UPDATE_OPEN: Final = (
    f"UPDATE entries SET ({', '.join(_SETTLED)}) = ({', '.join('?' * len(_SETTLED))}) "
    "WHERE created = ? AND id = ? AND NOT settled RETURNING user, key, groups, reserved"
)
# One counter at a time: for a list of them SQLite makes a table of its own, which takes longer than all of these.
_COUNT: Final = "UPDATE counters SET counted = counted + ? WHERE scope = ? AND period = ?"
_COUNT_WITHIN: Final = f"{_COUNT} AND counted <= ?"
_COUNTED: Final = "CASE WHEN settled THEN coalesce(cost, 0) ELSE reserved END"
_SUMS: Final = f"""count(*), sum(input), sum(cached), sum(output), sum(reasoning), sum({_COUNTED}),
    sum(CASE WHEN settled THEN 0 ELSE reserved END), sum(estimated), sum(settled AND cost IS NULL), count(failed)
FROM entries WHERE created >= ? AND created < ? AND (?3 IS NULL OR user = ?3)"""
_USAGE: Final = f"""SELECT created / {_DAY_MS} AS day, user, key, model, kind, NULL, {_SUMS}
GROUP BY day, user, key, model, kind ORDER BY day, user, key, model, kind"""
_USAGE_BY_GROUP: Final = f"""SELECT created / {_DAY_MS} AS day, user, key, model, kind, groups, {_SUMS}
GROUP BY day, user, key, model, kind, groups ORDER BY day, user, key, model, kind, groups"""
_SCOPES: Final = {
    "user": "user = ?",
    "key": "key = ?",
    "group": "EXISTS (SELECT 1 FROM json_each(groups) WHERE value = ?)",
}
_NOTHING: Final = Usage()
_MOST_KNOWN: Final = 1000
_SETTLED_SECONDS: Final = 2.0

_encoder = msgspec.json.Encoder()
_groups_decoder = msgspec.json.Decoder(tuple[str, ...])


class _Reservation(NamedTuple):
    """An entry to be opened, and what its counters may say with it."""

    entry: Entry
    limits: Mapping[Counter, int]


class CountersThere:
    """Which counters there are of those that an entry is counted under, for one connection that begins none itself:
    remembered as long as nobody else writes to the file, since most calls have ten that nobody ever asked for.
    """

    def __init__(self) -> None:
        self._version: int | None = None
        self._known: dict[tuple[Any, ...], tuple[Counter, ...]] = {}

    def among(self, database: sqlite3.Connection) -> "CountersOf":
        """Return what finds them within a transaction that may write: what it sees is what is there."""
        version = database.execute("PRAGMA data_version").fetchone()[0]
        if version != self._version or len(self._known) >= _MOST_KNOWN:
            self._version, self._known = version, {}
        return partial(self._there, database)

    def _there(self, database: sqlite3.Connection, entry: Entry) -> tuple[Counter, ...]:
        counted_as = (entry.user, entry.key, entry.groups, period_at("day", entry.created))
        there = self._known.get(counted_as)
        if there is None:
            there = tuple(counter for counter in counters_of(entry) if _counted(database, counter) is not None)
            self._known[counted_as] = there
        return there


def _all_counters(_database: sqlite3.Connection) -> "CountersOf":
    """Return what finds every counter that may be there: what is not is not changed."""
    return counters_of


CountersOf: TypeAlias = Callable[[Entry], tuple[Counter, ...]]
Among: TypeAlias = Callable[[sqlite3.Connection], CountersOf]


class SqliteLedger:
    """A `LedgerStore` beside the conversations of a `SqliteStore`, which opens and closes the file."""

    def __init__(self, store: SqliteStore) -> None:
        self._jotter = store.jotter
        self._writer = store.writer
        self._reader = store.reader
        self._reports = store.reports
        among = CountersThere().among
        self._reserve_known = partial(_reserve_known, among=among)
        self._settle_each = partial(_settle_each, among=among)
        self._forgotten = Forgotten()
        self._late: set[asyncio.Task[None]] = set()

    async def reserve(self, entry: Entry, budgets: Sequence[Budget]) -> None:
        opened = msgspec.structs.replace(storable(entry), usage=None)
        limits = limits_of(budgets)
        reservation = _Reservation(opened, limits)
        try:
            if entry.kind == "turn":  # in the next turn of the loop its answer's head would be before it
                self._jotter.run_alone(self._reserve_known, reservation)
            else:
                await self._jotter.run_together(self._reserve_known, reservation)
        except NotNow:
            await self._settled()
            refused = await self._writer.run(partial(_reserve, entry=opened, limits=limits))
            if refused is not None:
                raise refused from None

    async def settle(self, entry: Entry) -> None:
        settled = [self._as_settled(entry)]
        thorough = partial(_settle_each, entries=settled, among=_all_counters)
        await self._jotter.run(partial(self._settle_each, entries=settled), thorough=thorough)

    def settle_soon(self, entry: Entry, otherwise: Settling) -> None:
        self._jotter.run_soon(self._settle_each, self._as_settled(entry), partial(self._settle_later, otherwise))
        if not entry.reserved:  # nothing stands for it meanwhile
            self._jotter.finish()

    def _as_settled(self, entry: Entry) -> Entry:
        return as_settled(storable(self._forgotten.unnamed(entry)))

    def _settle_later(self, otherwise: Settling) -> None:
        task = otherwise()
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def _settled(self) -> None:
        """Return once what was settled is written; where the store has its troubles, after a while."""
        self._jotter.finish()
        if self._late:
            await asyncio.wait(tuple(self._late), timeout=_SETTLED_SECONDS)

    async def spent(self, scope: str, period: str) -> int:
        await self._settled()
        return await self._reader.run(partial(_spent, counter=Counter(scope, period)))

    async def begin(self, budgets: Sequence[Budget]) -> None:
        await self._settled()
        await self._writer.run(partial(_begin, counters=tuple(limits_of(budgets))))

    async def counted(self, budgets: Sequence[Budget]) -> Mapping[Budget, int]:
        await self._settled()
        return await self._reader.run(partial(_counted_against, budgets=tuple(budgets)))

    async def usage(self, query: UsageQuery) -> tuple[UsageRow, ...]:
        await self._settled()
        return await self._reports.run(partial(_usage, query=query))

    async def forget(self, user: str) -> None:
        nobody = self._forgotten.add(user)
        await self._settled()
        await self._writer.run(partial(_forget, user=user, nobody=nobody))


def _forget(database: sqlite3.Connection, user: str, nobody: str) -> None:
    """Give a user's entries and counters to nobody. The id of a local owner may be somebody else's after them."""
    database.execute("UPDATE entries SET user = ?, conversation = NULL WHERE user = ?", (nobody, user))
    database.execute("UPDATE counters SET scope = ? WHERE scope = ?", (f"user:{nobody}", f"user:{user}"))


def _reserve_known(database: sqlite3.Connection, reservations: Sequence[_Reservation], *, among: Among) -> None:
    """Reserve what there is room for. What is refused, was reserved before, or has a counter still to begin (which may
    be to read the entries of years), is taken back and left to `_reserve`.
    """
    for counter, (amount, limit) in _together(reservations).items():
        if database.execute(_COUNT_WITHIN, (amount, *_pair(counter), limit - amount)).rowcount != 1:
            raise TooMuchToJot
    counters_there, unlimited = among(database), dict[Counter, int]()
    for entry, limits in reservations:
        database.execute(_INSERT_OPEN, _opened_values(entry))
        _add(unlimited, entry.reserved, [counter for counter in counters_there(entry) if counter not in limits])
    _count(database, unlimited)


def _together(reservations: Sequence[_Reservation]) -> dict[Counter, tuple[int, int]]:
    """Return what each limited counter is to count in all, and its lowest limit."""
    found: dict[Counter, tuple[int, int]] = {}
    for entry, limits in reservations:
        for counter, limit in limits.items():
            amount, lowest = found.get(counter, (0, limit))
            found[counter] = amount + entry.reserved, min(lowest, limit)
    return found


def _reserve(database: sqlite3.Connection, *, entry: Entry, limits: Mapping[Counter, int]) -> BudgetExceeded | None:
    if database.execute("SELECT 1 FROM entries WHERE created = ? AND id = ?", (entry.created, entry.id)).fetchone():
        return None
    try:
        check_limits(limits, {counter: _begun(database, counter) for counter in limits}, entry.reserved)
    except BudgetExceeded as refused:
        return refused
    database.execute(_INSERT_OPEN, _opened_values(entry))
    _count(database, dict.fromkeys(counters_of(entry), entry.reserved))
    return None


def _settle_each(database: sqlite3.Connection, entries: Sequence[Entry], *, among: Among) -> None:
    counters_there, changes = among(database), dict[Counter, int]()
    for entry in entries:
        opened = database.execute(_UPDATE_OPEN, (*_settled_values(entry), entry.created, entry.id)).fetchall()
        if opened:
            user, key, groups, reserved = opened[0]
            before = msgspec.structs.replace(entry, user=user, key=key, groups=_groups(groups))
            _add(changes, entry.counted - reserved, counters_there(before))
        elif database.execute(_INSERT_NEW, _values(entry)).rowcount == 1:  # else it is settled already
            _add(changes, entry.counted, counters_there(entry))
    _count(database, changes)


def _groups(kept: str | None) -> tuple[str, ...]:
    return () if kept is None else _groups_decoder.decode(kept)


def _values(entry: Entry) -> tuple[Any, ...]:
    return (*_opened_values(entry)[: len(_OPENED)], *_settled_values(entry))


def _opened_values(entry: Entry) -> tuple[Any, ...]:
    groups = _encoder.encode(entry.groups).decode() if entry.groups else None
    opened = (entry.created, entry.id, entry.user, entry.key, groups, entry.reserved, entry.conversation)
    return (*opened, entry.model, entry.kind)


def _settled_values(entry: Entry) -> tuple[Any, ...]:
    usage = entry.usage or _NOTHING
    # Of a bool SQLite's module first asks everywhere how it is to be kept.
    return (
        *(entry.model, entry.kind, int(entry.usage is not None)),
        *(usage.input, usage.cached, usage.output, usage.reasoning, usage.cost, int(usage.estimated)),
        *(entry.seconds, entry.images, entry.failed),
    )


def _add(changes: dict[Counter, int], difference: int, counters: Iterable[Counter]) -> None:
    for counter in counters:
        changes[counter] = changes.get(counter, 0) + difference


def _count(database: sqlite3.Connection, changes: Mapping[Counter, int]) -> None:
    """Change these counters, those of them that there are."""
    for counter, difference in changes.items():
        if difference:
            database.execute(_COUNT, (difference, *_pair(counter)))


def _begun(database: sqlite3.Connection, counter: Counter) -> int:
    """Return what a counter says, which begins here where it is not there yet."""
    counted = _counted(database, counter)
    if counted is None:
        counted = _summed(database, counter)
        database.execute("INSERT INTO counters (scope, period, counted) VALUES (?, ?, ?)", (*_pair(counter), counted))
    return counted


def _begin(database: sqlite3.Connection, counters: Iterable[Counter]) -> None:
    for counter in counters:
        _begun(database, counter)


def _counted_against(database: sqlite3.Connection, budgets: Iterable[Budget]) -> dict[Budget, int]:
    found = ((budget, _counted(database, Counter(budget.scope, budget.period))) for budget in budgets)
    return {budget: counted for budget, counted in found if counted is not None}


def _spent(database: sqlite3.Connection, counter: Counter) -> int:
    counted = _counted(database, counter)
    return _summed(database, counter) if counted is None else counted


def _counted(database: sqlite3.Connection, counter: Counter) -> int | None:
    row = database.execute("SELECT counted FROM counters WHERE scope = ? AND period = ?", _pair(counter)).fetchone()
    return None if row is None else int(row[0])


def _summed(database: sqlite3.Connection, counter: Counter) -> int:
    conditions, given = ["1"], list[Any]()
    if (times := bounds(counter.period)) is not None:
        conditions, given = ["created >= ? AND created < ?"], [*times]
    kind, _, name = counter.scope.partition(":")
    if kind in _SCOPES:
        conditions.append(_SCOPES[kind])
        given.append(name)
    where = " AND ".join(conditions)
    return int(database.execute(f"SELECT coalesce(sum({_COUNTED}), 0) FROM entries WHERE {where}", given).fetchone()[0])


def _pair(counter: Counter) -> tuple[str, str]:
    return counter.scope, counter.period


def _usage(database: sqlite3.Connection, query: UsageQuery) -> tuple[UsageRow, ...]:
    statement = _USAGE_BY_GROUP if query.by_group else _USAGE
    return tuple(_rows(database.execute(statement, (query.since, query.until, query.user))))


def _rows(rows: sqlite3.Cursor) -> Iterator[UsageRow]:
    for day, user, key, model, kind, groups, *sums in rows:
        named = datetime.fromtimestamp(day * _DAY_MS / 1000, UTC).date().isoformat()
        yield usage_row((named, user, key, model, kind, _groups(groups), *sums))
