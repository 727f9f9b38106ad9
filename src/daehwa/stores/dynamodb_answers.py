"""Kept answers in the table of the AWS home. DynamoDB takes them away days late, so each says when it is over.

How this works and why. A claim is put under the condition that there is none. Where the network loses the answer, it is
put once more and its condition finds what stands there: one's own claim, known by a word that nobody else has.
"""
# ruff: noqa: D102 - what the methods do is written once, on the protocol

import hashlib
from contextlib import suppress
from typing import Final, Literal

import msgspec
from aiodynamo.errors import ConditionalCheckFailed
from aiodynamo.expressions import Condition, F, HashKey

from daehwa.conversation.errors import StoreError
from daehwa.conversation.ids import new_id
from daehwa.gateway.ports import KeptAnswer
from daehwa.stores import dynamodb_table as names
from daehwa.stores.answers import CLAIM_MS, KEPT_MS, claimed, packed
from daehwa.stores.dynamodb_client import DynamoTable, Item, changes
from daehwa.stores.records import storable

_ATTEMPTS: Final = 5


class DynamoAnswers:
    """An `AnswerStore` in the table of the AWS home."""

    def __init__(self, table: DynamoTable) -> None:
        self._table = table

    async def claim(
        self, caller: str, key: str, fingerprint: str, *, now: int
    ) -> KeptAnswer | Literal["new", "running"]:
        place, word = _place(caller, key), new_id()
        for _ in range(_ATTEMPTS):
            known = await self._claim(place, fingerprint, word, now)
            if known == "new":
                return "new"
            if known is not None:
                return claimed(known[names.FINGERPRINT], fingerprint, known.get(names.ANSWER)) or "running"
        raise StoreError("Too many send this request at once. Try again in a moment.")

    async def _claim(
        self, place: tuple[str, str], fingerprint: str, word: str, now: int
    ) -> Item | Literal["new"] | None:
        """Make a claim, or return what is there before it; None where that went away just now."""
        item = {
            names.PARTITION_KEY: place[0],
            names.SORT_KEY: place[1],
            names.FINGERPRINT: fingerprint,
            names.WRITER: word,
            **_until(now + CLAIM_MS),
        }
        is_free = F(names.PARTITION_KEY).does_not_exist() | F(names.UNTIL).lte(now)
        try:
            await self._table.put(item, condition=is_free)
        except ConditionalCheckFailed:
            there = await self._table.get(*place)
            return "new" if there is not None and there.get(names.WRITER) == word else there
        return "new"

    async def keep(self, caller: str, key: str, answer: KeptAnswer, *, began: int, now: int) -> None:
        given = {names.ANSWER: await packed(answer), **_until(now + KEPT_MS)}
        with suppress(ConditionalCheckFailed):
            await self._table.update(*_place(caller, key), changes(given), condition=_is_claim(began))

    async def release(self, caller: str, key: str, *, began: int) -> None:
        over = {names.UNTIL: 0, names.EXPIRES: 1}
        with suppress(ConditionalCheckFailed):
            await self._table.update(*_place(caller, key), changes(over), condition=_is_claim(began))

    async def forget(self, user: str) -> None:
        partition = names.answer_partition(user)
        items = await self._table.query(HashKey(names.PARTITION_KEY, partition), fields=(names.SORT_KEY,))
        await self._table.write_many(deletes=[(partition, item[names.SORT_KEY]) for item in items])


def _is_claim(began: int) -> Condition:
    """Return whether there is the claim that was made then: a later one begins only when that is over."""
    return F(names.UNTIL).equals(began + CLAIM_MS) & F(names.ANSWER).does_not_exist()


def _until(moment: int) -> Item:
    return {names.UNTIL: moment, names.EXPIRES: -(-moment // 1000)}


def _place(caller: str, key: str) -> tuple[str, str]:
    digest = hashlib.sha256(msgspec.json.encode((caller, storable(key)))).hexdigest()
    return names.answer_partition(caller.partition("/")[0]), digest
