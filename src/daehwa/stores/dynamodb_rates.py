"""What happens in a minute, counted in the table: a Lambda serves one request at a time, so no process knows it all."""
# ruff: noqa: D102 - what the methods do is written once, on the protocol

from contextlib import suppress
from typing import Final

from aiodynamo.errors import ConditionalCheckFailed
from aiodynamo.expressions import F
from aiodynamo.models import ReturnValues

from daehwa.accounts.minutes import MINUTE_MS, seconds_left
from daehwa.accounts.ports import RateTaken
from daehwa.stores import dynamodb_table as names
from daehwa.stores.dynamodb_client import DynamoTable, changes

_KEPT_SECONDS: Final = 5 * 60


class DynamoRates:
    """A `RateStore` in the table of the AWS home: one write a question, whether it is let through or not."""

    def __init__(self, table: DynamoTable) -> None:
        self._table = table

    async def take(self, scope: str, amount: int, limit: int, *, now: int) -> RateTaken:
        has_room = F(names.SPENT).does_not_exist() | F(names.SPENT).lte(max(0, limit - amount))
        counted = F(names.SPENT).add(amount) & F(names.EXPIRES).set(now // 1000 + _KEPT_SECONDS)
        try:
            item = await self._table.update(
                *_place(scope, now), counted, condition=has_room, returns=ReturnValues.updated_new
            )
        except ConditionalCheckFailed:
            return RateTaken(0, seconds_left(now))
        return RateTaken(max(0, limit - int(item[names.SPENT])))

    async def adjust(self, scope: str, difference: int, *, now: int) -> None:
        try:
            await self._table.update(
                *_place(scope, now), F(names.SPENT).add(difference), condition=F(names.SPENT).gte(max(0, -difference))
            )
        except ConditionalCheckFailed:
            with suppress(ConditionalCheckFailed):  # there is none
                is_less = F(names.SPENT).lt(max(0, -difference))
                await self._table.update(*_place(scope, now), changes({names.SPENT: 0}), condition=is_less)


def _place(scope: str, now: int) -> tuple[str, str]:
    return names.rate_partition(scope), str(now // MINUTE_MS)
