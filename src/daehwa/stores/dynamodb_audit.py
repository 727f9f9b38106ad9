"""The audit log in the table of the AWS home.

How this works and why. All events lie in one partition, sorted by their number. Whoever writes one reads the last, and
puts the next under the condition that nobody did so before: of several at once one is next, and the others read again.
"""
# ruff: noqa: D102 - what the methods do is written once, on the protocol

import asyncio
import random
from collections.abc import AsyncIterator, Collection
from contextlib import suppress
from typing import Final

import msgspec
from aiodynamo.errors import ConditionalCheckFailed
from aiodynamo.expressions import F, HashKey, RangeKey

from daehwa.accounts.audit import FIRST_PREVIOUS, AuditCheck, AuditEvent, ChainWalk, NewEvent, chained, erased
from daehwa.conversation.errors import StoreError
from daehwa.stores import dynamodb_table as names
from daehwa.stores.dynamodb_client import DynamoTable, Item
from daehwa.stores.records import storable

_ATTEMPTS: Final = 60
_LONGEST_PAUSE: Final = 0.1
_READ_AT_ONCE: Final = 500
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(AuditEvent)


class DynamoAudit:
    """An `AuditStore` in the table of the AWS home."""

    def __init__(self, table: DynamoTable) -> None:
        self._table = table

    async def append(self, new: NewEvent) -> AuditEvent:
        new = storable(new)
        for attempt in range(_ATTEMPTS):
            last = await self.page(limit=1)
            seq, previous = (last[0].seq + 1, last[0].hash) if last else (1, FIRST_PREVIOUS)
            event = chained(new, seq=seq, previous=previous)
            with suppress(ConditionalCheckFailed):
                await self._table.put(_item(event), condition=F(names.PARTITION_KEY).does_not_exist())
                return event
            await asyncio.sleep(random.uniform(0, min(_LONGEST_PAUSE, 0.005 * attempt)))  # noqa: S311 - spreads attempts
        raise StoreError("Too much is written into the audit log at once. Try again in a moment.")

    async def page(self, *, before: int | None = None, limit: int = 50) -> tuple[AuditEvent, ...]:
        condition = HashKey(names.PARTITION_KEY, names.AUDIT)
        below = RangeKey(names.SORT_KEY).lt(names.moment_order(max(0, before or 0)))
        items = await self._table.query_last(condition if before is None else condition & below, limit=max(1, limit))
        return tuple(_decoder.decode(item[names.VALUE]) for item in items)

    async def events(self) -> AsyncIterator[AuditEvent]:
        """Read the partition in blocks of numbers, which have no gap."""
        first = 1
        while True:
            block = RangeKey(names.SORT_KEY).between(*map(names.moment_order, (first, first + _READ_AT_ONCE - 1)))
            items = await self._table.query(HashKey(names.PARTITION_KEY, names.AUDIT) & block)
            if not items:
                return
            for item in items:
                yield _decoder.decode(item[names.VALUE])
            first += _READ_AT_ONCE

    async def check(self) -> AuditCheck:
        walk = ChainWalk()
        async for event in self.events():
            walk.see(event)
        return walk.result

    async def forget(self, user: str, words: Collection[str] = ()) -> None:
        async for event in self.events():
            if (new := erased(event, user, words)) != event:
                await self._table.put(_item(new), condition=F(names.PARTITION_KEY).exists())


def _item(event: AuditEvent) -> Item:
    return {
        names.PARTITION_KEY: names.AUDIT,
        names.SORT_KEY: names.moment_order(event.seq),
        names.VALUE: _encoder.encode(event),
    }
