"""Keys in the table of the AWS home.

A key is asked for by its digest at every request of a program: one consistent read, so that a revoked key opens nothing
from that moment on. Whoever revokes it knows its id alone, so where the id is stands in an item of its own.
"""
# ruff: noqa: D102 - what the methods do is written once, on the protocol

import asyncio
from contextlib import suppress
from typing import Any, Final

import msgspec
from aiodynamo.errors import ConditionalCheckFailed
from aiodynamo.expressions import F, HashKey, RangeKey
from aiodynamo.operations import Put

from daehwa.accounts.errors import KeyNotFound
from daehwa.accounts.keys import ApiKey
from daehwa.accounts.spending import counters_of_key
from daehwa.conversation.errors import IdTaken
from daehwa.stores import dynamodb_table as names
from daehwa.stores.dynamodb_client import DynamoTable, Item, changes
from daehwa.stores.dynamodb_ledger import new_counters
from daehwa.stores.records import storable

_LOOKS: Final = 5
_INDEX_SECONDS: Final = 1.0
"""For so long the index may be behind the table, and hardly ever longer."""
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(ApiKey)


class DynamoKeys:
    """A `KeyStore` in the table of the AWS home."""

    def __init__(self, table: DynamoTable) -> None:
        self._table = table

    async def add_key(self, key: ApiKey) -> None:
        place = {
            names.PARTITION_KEY: names.key_place_partition(key.id),
            names.SORT_KEY: names.KEY_PLACE_SORT,
            names.DIGEST: key.digest,
        }
        is_new = F(names.PARTITION_KEY).does_not_exist()
        items = (place, _item(storable(key)), *new_counters(counters_of_key(key), now=key.created))
        if await self._table.transact([Put(self._table.name, item, is_new) for item in items]):
            raise IdTaken("key")

    async def find_key(self, digest: str) -> ApiKey | None:
        item = await self._table.get(names.key_partition(digest), names.KEY_SORT)
        return None if item is None else _key_of(item)

    async def list_keys(self, user: str | None = None) -> tuple[ApiKey, ...]:
        everybodys = HashKey(names.LIST, names.KEY_LIST)
        asked = everybodys if user is None else everybodys & RangeKey(names.ORDER).begins_with(names.key_order(user))
        listed = await self._table.query_list(asked)
        items = await self._table.get_many((item[names.PARTITION_KEY], item[names.SORT_KEY]) for item in listed)
        return tuple(sorted(map(_key_of, items), key=lambda key: (key.created, key.id), reverse=True))

    async def revoke_key(self, key: str, *, user: str | None, now: int) -> ApiKey:
        place = await self._place(key)
        known = None if place is None else await self._table.get(*place)
        if place is None or known is None or user not in {None, _key_of(known).user}:
            raise KeyNotFound
        with suppress(ConditionalCheckFailed):  # somebody else revoked it, and that is when it was
            is_open = F(names.PARTITION_KEY).exists() & F(names.REVOKED).does_not_exist()
            await self._table.update(*place, changes({names.REVOKED: now}), condition=is_open)
            known[names.REVOKED] = now
            return _key_of(known)
        return _key_of(await self._table.get(*place) or known)

    async def note_key_used(self, key: str, *, now: int) -> None:
        place = await self._place(key)
        if place is not None:
            with suppress(ConditionalCheckFailed):
                is_there = F(names.PARTITION_KEY).exists()
                await self._table.update(*place, changes({names.LAST_SEEN: now}), condition=is_there)

    async def forget(self, user: str) -> None:
        """Look until nothing is found a moment after the look before: a key just made may be in no list yet. A key goes
        after the item that says where it is, so that what is broken off in between is found again.
        """
        for look in range(_LOOKS):
            keys = await self.list_keys(user)
            if look and not keys:
                return
            places = [(names.key_place_partition(key.id), names.KEY_PLACE_SORT) for key in keys]
            await self._table.write_many(deletes=places)
            await self._table.write_many(deletes=[(names.key_partition(key.digest), names.KEY_SORT) for key in keys])
            await asyncio.sleep(_INDEX_SECONDS)

    async def _place(self, key: str) -> tuple[str, str] | None:
        item = await self._table.get(names.key_place_partition(key), names.KEY_PLACE_SORT)
        return None if item is None else (names.key_partition(item[names.DIGEST]), names.KEY_SORT)


def _item(key: ApiKey) -> Item:
    item: dict[str, Any] = {
        names.PARTITION_KEY: names.key_partition(key.digest),
        names.SORT_KEY: names.KEY_SORT,
        names.VALUE: _encoder.encode(key),
        names.LAST_SEEN: key.last_used,
        names.REVOKED: key.revoked,
        names.LIST: names.KEY_LIST,
        names.ORDER: names.key_order(key.user, key.created, key.id),
    }
    return {name: value for name, value in item.items() if value is not None}


def _key_of(item: Item) -> ApiKey:
    return msgspec.structs.replace(
        _decoder.decode(item[names.VALUE]), last_used=item.get(names.LAST_SEEN), revoked=item.get(names.REVOKED)
    )
