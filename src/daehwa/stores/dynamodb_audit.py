"""The audit log in the table of the AWS home.

How this works and why. All events lie in one partition, sorted by their number. Whoever writes one reads the last, and
puts the next under the condition that nobody did so before: of several at once one is next, and the others read again.
Where the network loses the answer, the next try finds its own event at that number, and knows it by a word beside it.
"""
# ruff: noqa: D102 - what the methods do is written once, on the protocol

import asyncio
import random
from collections.abc import AsyncIterator, Collection
from typing import Final

import msgspec
from aiodynamo.errors import ConditionalCheckFailed
from aiodynamo.expressions import F, HashKey, RangeKey

from daehwa.accounts.audit import (
    FIRST_PREVIOUS,
    AuditCheck,
    AuditEvent,
    ChainWalk,
    NewEvent,
    chained,
    erased,
    is_same_act,
)
from daehwa.conversation.errors import StoreError
from daehwa.conversation.ids import new_id
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
        word = new_id()
        for attempt in range(_ATTEMPTS):
            last = await self.page(limit=1)
            if (event := await self._put_next(new, last[0] if last else None, word)) is not None:
                return event
            await _pause(attempt)
        raise _too_many()

    async def append_once(self, new: NewEvent) -> bool:
        new = storable(new)
        word = new_id()
        last: AuditEvent | None = None
        for attempt in range(_ATTEMPTS):
            # Whoever was quicker may have written the same: what came meanwhile is looked at too.
            async for event in self._after(0 if last is None else last.seq):
                if is_same_act(event, new):
                    return False
                last = event
            if await self._put_next(new, last, word) is not None:
                return True
            await _pause(attempt)
        raise _too_many()

    async def _put_next(self, new: NewEvent, last: AuditEvent | None, word: str) -> AuditEvent | None:
        """Write an event down behind the last one; None where it is the last one no more."""
        seq, previous = (1, FIRST_PREVIOUS) if last is None else (last.seq + 1, last.hash)
        event = chained(new, seq=seq, previous=previous)
        item = _item(event) | {names.WRITER: word}
        try:
            await self._table.put(item, condition=F(names.PARTITION_KEY).does_not_exist())
        except ConditionalCheckFailed:
            there = await self._table.get(item[names.PARTITION_KEY], item[names.SORT_KEY], fields=(names.WRITER,))
            return event if there is not None and there.get(names.WRITER) == word else None
        return event

    async def page(self, *, before: int | None = None, limit: int = 50) -> tuple[AuditEvent, ...]:
        condition = HashKey(names.PARTITION_KEY, names.AUDIT)
        below = RangeKey(names.SORT_KEY).lt(names.moment_order(max(0, before or 0)))
        items = await self._table.query_last(condition if before is None else condition & below, limit=max(1, limit))
        return tuple(_decoder.decode(item[names.VALUE]) for item in items)

    async def told(self, action: str, subject: str, *, limit: int) -> tuple[AuditEvent, ...]:
        found = [event async for event in self.events() if (event.action, event.subject) == (action, subject)]
        return tuple(reversed(found[-limit:]))

    def events(self) -> AsyncIterator[AuditEvent]:
        return self._after(0)

    async def _after(self, seq: int) -> AsyncIterator[AuditEvent]:
        """Read the partition in blocks of numbers, which have no gap."""
        first = seq + 1
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


async def _pause(attempt: int) -> None:
    await asyncio.sleep(random.uniform(0, min(_LONGEST_PAUSE, 0.005 * attempt)))  # noqa: S311 - spreads attempts


def _too_many() -> StoreError:
    return StoreError("Too much is written into the audit log at once. Try again in a moment.")


def _item(event: AuditEvent) -> Item:
    return {
        names.PARTITION_KEY: names.AUDIT,
        names.SORT_KEY: names.moment_order(event.seq),
        names.VALUE: _encoder.encode(event),
    }
