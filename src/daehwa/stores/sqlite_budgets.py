"""Counters of money in the database file of the conversations: the same writing thread, one transaction each."""
# ruff: noqa: D102 - what the methods do is written once, on the protocol

import sqlite3
from collections.abc import Sequence
from functools import partial

import msgspec

from daehwa.accounts.ports import Budget
from daehwa.accounts.spending import Counter, check_limits, limits_of
from daehwa.stores.sqlite import SqliteStore

_encoder = msgspec.json.Encoder()
_counters_decoder = msgspec.json.Decoder(tuple[Counter, ...])


class SqliteBudgets:
    """A `BudgetStore` beside the conversations of a `SqliteStore`, which opens and closes the file."""

    def __init__(self, store: SqliteStore) -> None:
        self._writer = store.writer
        self._reader = store.reader

    async def reserve(self, reservation: str, budgets: Sequence[Budget], amount: int, *, now: int) -> None:
        limits = limits_of(budgets)
        await self._writer.run(partial(_reserve, reservation=reservation, limits=limits, amount=amount, now=now))

    async def settle(self, reservation: str, amount: int, *, now: int) -> None:  # noqa: ARG002 - nothing of it expires
        await self._writer.run(partial(_settle, reservation=reservation, amount=amount))

    async def spent(self, scope: str, period: str) -> int:
        return await self._reader.run(partial(_spent, counter=Counter(scope, period)))


def _reserve(database: sqlite3.Connection, reservation: str, limits: dict[Counter, int], amount: int, now: int) -> None:
    if database.execute("SELECT 1 FROM budget_reservations WHERE id = ?", (reservation,)).fetchone():
        return
    check_limits(limits, {counter: _spent(database, counter) for counter in limits}, amount)
    database.execute(
        "INSERT INTO budget_reservations (id, amount, created, counters) VALUES (?, ?, ?, ?)",
        (reservation, amount, now, _encoder.encode(tuple(limits)).decode()),
    )
    _count(database, tuple(limits), amount)


def _settle(database: sqlite3.Connection, reservation: str, amount: int) -> None:
    row = database.execute(
        "SELECT amount, counters FROM budget_reservations WHERE id = ? AND NOT settled", (reservation,)
    ).fetchone()
    if row is None:
        return
    database.execute("UPDATE budget_reservations SET settled = 1 WHERE id = ?", (reservation,))
    _count(database, _counters_decoder.decode(row[1]), amount - row[0])


def _count(database: sqlite3.Connection, counters: tuple[Counter, ...], amount: int) -> None:
    database.executemany(
        "INSERT INTO budget_counters (scope, period, spent) VALUES (?, ?, ?) "
        "ON CONFLICT (scope, period) DO UPDATE SET spent = spent + excluded.spent",
        [(counter.scope, counter.period, amount) for counter in counters],
    )


def _spent(database: sqlite3.Connection, counter: Counter) -> int:
    row = database.execute(
        "SELECT spent FROM budget_counters WHERE scope = ? AND period = ?", (counter.scope, counter.period)
    ).fetchone()
    return 0 if row is None else int(row[0])
