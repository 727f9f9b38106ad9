"""Counters of money in the table: all counters of a reservation and the reservation itself in one transaction.

How this works and why. A condition of DynamoDB cannot calculate, so a counter's says that it is at most the limit less
the amount, before the amount is added. The reservation's own item makes it count once; settling marks it, and so also
counts once. DynamoDB takes counters and reservations away long after their time.
"""
# ruff: noqa: D102 - what the methods do is written once, on the protocol

from collections.abc import Sequence
from typing import Any, Final

from aiodynamo.expressions import Condition, F
from aiodynamo.operations import Put, Update

from daehwa.accounts.ports import Budget
from daehwa.accounts.spending import Counter, exceeded, limits_of
from daehwa.stores import dynamodb_table as names
from daehwa.stores.dynamodb_client import DynamoTable, Operation, changes

_DAY_SECONDS: Final = 24 * 60 * 60
_COUNTER_SECONDS: Final = 100 * _DAY_SECONDS
_RESERVATION_SECONDS: Final = 40 * _DAY_SECONDS


class DynamoBudgets:
    """A `BudgetStore` in the table of the AWS home."""

    def __init__(self, table: DynamoTable) -> None:
        self._table = table

    async def reserve(self, reservation: str, budgets: Sequence[Budget], amount: int, *, now: int) -> None:
        limits = limits_of(budgets)
        record = {
            **_key(names.reservation_partition(reservation), names.RESERVATION_SORT),
            names.AMOUNT: amount,
            names.COUNTERS: [[counter.scope, counter.period] for counter in limits],
            names.EXPIRES: now // 1000 + _RESERVATION_SECONDS,
        }
        operations: list[Operation] = [Put(self._table.name, record, F(names.PARTITION_KEY).does_not_exist())]
        operations += (
            self._counting(counter, amount, now, _has_room(limit, amount)) for counter, limit in limits.items()
        )
        failed = await self._table.transact(operations)
        if failed and 0 not in failed:
            raise exceeded(*list(limits.items())[min(failed) - 1])

    async def settle(self, reservation: str, amount: int, *, now: int) -> None:
        key = names.reservation_partition(reservation), names.RESERVATION_SORT
        record = await self._table.get(*key)
        if record is None or names.SETTLED in record:
            return
        is_open = F(names.PARTITION_KEY).exists() & F(names.SETTLED).does_not_exist()
        operations: list[Operation] = [Update(self._table.name, _key(*key), changes({names.SETTLED: amount}), is_open)]
        difference = amount - record[names.AMOUNT]
        counters = [Counter(*counter) for counter in record[names.COUNTERS]] if difference else []
        operations += (self._counting(counter, difference, now, None) for counter in counters)
        await self._table.transact(operations)

    async def spent(self, scope: str, period: str) -> int:
        item = await self._table.get(names.budget_partition(scope), period)
        return 0 if item is None else int(item[names.SPENT])

    def _counting(self, counter: Counter, amount: int, now: int, condition: Condition | None) -> Operation:
        expression = F(names.SPENT).add(amount)
        if counter.period != "total":
            expression &= F(names.EXPIRES).set(now // 1000 + _COUNTER_SECONDS)
        key = _key(names.budget_partition(counter.scope), counter.period)
        return Update(self._table.name, key, expression, condition)


def _has_room(limit: int, amount: int) -> Condition:
    """Return the condition that a counter does not pass its limit; one that is not there yet holds 0."""
    room = limit - amount
    has_room = F(names.SPENT).lte(room)
    return has_room | F(names.SPENT).does_not_exist() if room >= 0 else has_room


def _key(partition: str, sort: str) -> dict[str, Any]:
    return {names.PARTITION_KEY: partition, names.SORT_KEY: sort}
