"""Search in DynamoDB, with no other service.

How this works and why. Each conversation has a signature (`search_signature.py`, about 2 KB for sixteen messages), and
those of one owner stand in one partition: a few queries side by side read them all, and it is decided here which
conversations may match. Those are read, newest first, and their text has the last word, until there are enough. Titles
come from the index that lists conversations.

A signature also says which replies it covers, and the conversation counts its replies. Where the numbers differ (a
reply that grows, a function that died) the conversation is read as if it matched, and where it has been still for a
while, its signature is completed. So nothing here has to be in one transaction with the text, and a signature that is
lost, or of an older version, costs time and no result.
"""

import asyncio
from binascii import a2b_base64
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from itertools import chain
from typing import Any, Final

import msgspec
from aiodynamo.errors import ConditionalCheckFailed
from aiodynamo.expressions import Condition, F, HashKey, RangeKey
from aiodynamo.utils import dy2py

from daehwa.conversation.errors import StoreError
from daehwa.conversation.ids import now_ms
from daehwa.conversation.messages import Conversation, Message
from daehwa.conversation.ports import SearchHit
from daehwa.stores import dynamodb_table as names
from daehwa.stores.dynamodb_client import DynamoTable, gathered
from daehwa.stores.dynamodb_conversation import StoredConversation
from daehwa.stores.dynamodb_items import (
    Item,
    conversation_id,
    conversation_of,
    is_head,
    message_id,
    message_sort,
    whole_text,
)
from daehwa.stores.records import text_of
from daehwa.stores.search_signature import decode, encode, hashes_of, holds, wanted
from daehwa.stores.search_text import Query, folded

_SHARES: Final = (("0", "3"), ("4", "7"), ("8", "b"), ("c", "f"))
"""First and last of the digits with which the sort keys of a share of the signatures begin."""
_HASHES_IN_ONE: Final = 1_600
"""Of an item of a signature: about 2 KB, so that a turn writes two units. What comes after begins a further item."""
_READ_AT_ONCE: Final = 32
_READ_SIDE_BY_SIDE: Final = 12
"""Connections that one search keeps busy; a new one costs more than waiting for another."""
_READ_AT_MOST: Final = 320
"""Conversations read for one search. A bound for words that are frequent, yet never in one message together."""
_READ_OF_MESSAGES: Final = (names.SORT_KEY, names.ROLE, names.CREATED, names.TEXT, names.PIECES)
_ATTEMPTS: Final = 20
_DIGEST_BYTES: Final = 4
_STILL_AFTER: Final = 60 * 60 * 1000
"""Milliseconds after which nobody makes a reply in a conversation any more."""


class _Listed:
    """A conversation as the index lists it, decoded as far as it is asked for; `is_covered` says whether its signature
    is complete.
    """

    __slots__ = ("_item", "id", "is_covered", "turns", "updated")

    def __init__(self, item: dict[str, Any]) -> None:
        self._item = item
        self.id = conversation_id(dy2py({names.PARTITION_KEY: item[names.PARTITION_KEY]}, int))
        self.updated = int(item[names.UPDATED]["N"])
        self.turns = int(item[names.TURNS]["N"]) if names.TURNS in item else 0
        self.is_covered = False

    @property
    def title(self) -> str:
        """Its title."""
        title: str = self._item[names.TITLE]["S"]
        return title

    @property
    def value(self) -> Conversation:
        """All of it."""
        return conversation_of(dy2py(self._item, int))


class _Signature:
    """What of an item of a signature is asked for, of each of very many."""

    __slots__ = ("covered", "held")

    def __init__(self, item: dict[str, Any]) -> None:
        self.held = a2b_base64(item[names.SIGNATURE]["B"])
        covered = a2b_base64(item[names.COVERED]["B"]) if names.COVERED in item else b""
        self.covered = len(covered) // _DIGEST_BYTES


class _Match(msgspec.Struct, frozen=True):
    """A conversation and the newest of its messages that matches: when it was made, whether it is a reply, its id."""

    conversation: Conversation
    moment: tuple[int, bool, str]
    text: str


class DynamoSearch:
    """The search over what a `DynamoStore` keeps."""

    def __init__(self, table: DynamoTable) -> None:
        self._table = table
        self._free = asyncio.Semaphore(_READ_SIDE_BY_SIDE)

    # ------------------------------------------------------------ keeping signatures

    async def index_reply(self, reply: Message) -> None:
        """Make a reply that has ended, and its question, findable by the signature. More than once is fine. Until it is
        done they are found all the same, at more cost.
        """
        partition = names.conversation_partition(reply.conversation)
        keys = [(partition, names.CONVERSATION_SORT), (partition, message_sort(reply.parent or ""))]
        there = {item[names.SORT_KEY]: item for item in await self._table.get_many(keys)}
        conversation = there.pop(names.CONVERSATION_SORT, None)
        if conversation is None:
            return
        items = list(there.values())
        if any(names.PIECES in head for head in items):
            items = await self._table.query(
                HashKey(names.PARTITION_KEY, partition) & RangeKey(names.SORT_KEY).begins_with(keys[1][1])
            )
        await self.index_messages(conversation[names.OWNER], (*StoredConversation(items).messages(), reply))

    async def index_messages(self, owner: str, messages: Sequence[Message]) -> None:
        """Make messages of one conversation findable by the signature, before or after they are stored. More than once
        is fine. Where others change it all the time it stays as it is, and a search makes up for it.
        """
        hashes = hashes_of(message.text for message in messages)
        covered = {_digest(message.id) for message in messages if message.role == "assistant"}
        for _ in range(_ATTEMPTS if messages else 0):
            try:
                await self._add(owner, messages[0].conversation, hashes, covered)
            except ConditionalCheckFailed:
                continue
            return

    async def forget(self, owner: str, conversation: str) -> None:
        """Remove the signature of a conversation."""
        items = await self._signature_of(owner, conversation)
        await self._table.write_many(deletes=[(item[names.PARTITION_KEY], item[names.SORT_KEY]) for item in items])

    async def _add(self, owner: str, conversation: str, hashes: set[int], covered: set[bytes]) -> None:
        items = await self._signature_of(owner, conversation)
        hashes = hashes.difference(*(decode(item[names.SIGNATURE]) for item in items))
        covered = covered.difference(*map(_covered_by, items))
        if not hashes and not covered:
            return
        last = items[-1] if items else None
        held = [] if last is None else [*decode(last[names.SIGNATURE])]
        all_of_them = held + sorted(hashes)
        number = max(0, len(items) - 1)
        for start in range(0, max(1, len(all_of_them)), _HASHES_IN_ONE):
            # What is covered is said with the last item, when all the others are there.
            is_last = start + _HASHES_IN_ONE >= len(all_of_them)
            digests = ([] if last is None else [*_covered_by(last)]) + (sorted(covered) if is_last else [])
            item = {
                names.PARTITION_KEY: names.owner_partition(owner),
                names.SORT_KEY: names.signature_sort(conversation, number),
                names.SIGNATURE: encode(all_of_them[start : start + _HASHES_IN_ONE]),
            }
            if digests:
                item[names.COVERED] = b"".join(digests)
            is_as_read = F(names.SIGNATURE).does_not_exist() if last is None else _is_unchanged(last)
            await self._table.put(item, condition=is_as_read)
            last, number = None, number + 1

    async def _signature_of(self, owner: str, conversation: str) -> list[Item]:
        return await self._table.query(
            HashKey(names.PARTITION_KEY, names.owner_partition(owner))
            & RangeKey(names.SORT_KEY).begins_with(names.signature_sort(conversation))
        )

    # ------------------------------------------------------------ searching

    async def search(self, owner: str, words: str, *, limit: int) -> tuple[SearchHit, ...]:
        """Return what is found, title matches first, then by the newest message that matches."""
        query = Query(words)
        if query.is_empty:
            return ()
        listed, may_match = await self._candidates(owner, query)
        titled = [at for at in listed if query.matches(folded(at.title))][:limit]
        by_title = {at.id for at in titled}
        texts = {match.conversation.id: match for match in await self._read(query, may_match, by_title)}
        others = [at for at in may_match if at.id not in by_title]
        matches = await self._newest_matches(query, others, limit - len(titled))
        hits = [_hit(query, at.value, texts.get(at.id)) for at in titled]
        return (*hits, *(_hit(query, match.conversation, match) for match in matches))

    async def _candidates(self, owner: str, query: Query) -> tuple[list[_Listed], list[_Listed]]:
        """Return all conversations of an owner, and those of them that may match, both with the newest first."""
        lists = [self._list(owner, archived=archived) for archived in (False, True)]
        shares = [self._share_of_signatures(owner, first, last) for first, last in _SHARES]
        in_list, archived, *signatures = await gathered((*lists, *shares))
        by_conversation: defaultdict[str, list[_Signature]] = defaultdict(list)
        for item in chain.from_iterable(signatures):
            by_conversation[names.signed_conversation(item[names.SORT_KEY]["S"])].append(_Signature(item))
        hashes = wanted(query)
        listed = sorted(map(_Listed, (*in_list, *archived)), key=lambda at: (at.updated, at.id), reverse=True)
        may_match = []
        for at in listed:
            signature = by_conversation.get(at.id, ())
            at.is_covered = sum(part.covered for part in signature) >= at.turns
            if not at.is_covered or all(_is_in(signature, value) for value in hashes):
                may_match.append(at)
        return listed, may_match

    async def _list(self, owner: str, *, archived: bool) -> list[dict[str, Any]]:
        return await self._table.query_undecoded(
            IndexName=names.LISTS,
            KeyConditionExpression=f"{names.LIST} = :list",
            ExpressionAttributeValues={":list": {"S": names.conversation_list(owner, archived=archived)}},
        )

    async def _share_of_signatures(self, owner: str, first: str, last: str) -> list[dict[str, Any]]:
        return await self._table.query_undecoded(
            KeyConditionExpression=f"{names.PARTITION_KEY} = :owner AND {names.SORT_KEY} BETWEEN :first AND :last",
            ProjectionExpression=f"{names.SORT_KEY}, {names.SIGNATURE}, {names.COVERED}",
            ExpressionAttributeValues={
                ":owner": {"S": names.owner_partition(owner)},
                ":first": {"S": names.SIGNATURE_SORT + first},
                ":last": {"S": names.SIGNATURE_SORT + last + "~"},
            },
        )

    async def _newest_matches(self, query: Query, candidates: Sequence[_Listed], room: int) -> list[_Match]:
        """Read candidates until no other can have a newer match than those that there is room for."""
        found: list[_Match] = []
        for start in range(0, min(len(candidates), _READ_AT_MOST), _READ_AT_ONCE):
            if room <= 0 or (len(found) >= room and found[room - 1].moment[0] >= candidates[start].updated):
                break
            found += await self._read(query, candidates[start : start + _READ_AT_ONCE])
            found.sort(key=lambda match: match.moment, reverse=True)
        return found[:room]

    async def _read(
        self, query: Query, candidates: Iterable[_Listed], chosen: Collection[str] | None = None
    ) -> list[_Match]:
        reading = (self._match(query, at) for at in candidates if chosen is None or at.id in chosen)
        return [match for match in await gathered(reading) if match is not None]

    async def _match(self, query: Query, candidate: _Listed) -> _Match | None:
        conversation = candidate.value
        partition = HashKey(names.PARTITION_KEY, names.conversation_partition(conversation.id))
        if not candidate.is_covered and conversation.updated < now_ms() - _STILL_AFTER:
            stored = StoredConversation(await self._table.query(partition))
            await self.index_messages(conversation.owner, stored.messages())
        async with self._free:
            items = await self._table.query(partition, fields=_READ_OF_MESSAGES, as_of_now=False)
        by_sort = {item[names.SORT_KEY]: item for item in items}
        for head in sorted(filter(is_head, items), key=_moment, reverse=True):
            with suppress(StoreError):  # it is being removed while it is read
                text = text_of(whole_text(head, by_sort))
                if query.matches(folded(text)):
                    return _Match(conversation, _moment(head), text)
        return None


def _digest(reply: str) -> bytes:
    return bytes.fromhex(reply[-2 * _DIGEST_BYTES :])


def _covered_by(item: Item) -> set[bytes]:
    digests: bytes = item.get(names.COVERED, b"")
    return {digests[at : at + _DIGEST_BYTES] for at in range(0, len(digests), _DIGEST_BYTES)}


def _is_unchanged(item: Item) -> Condition:
    covered = (
        F(names.COVERED).equals(item[names.COVERED]) if names.COVERED in item else F(names.COVERED).does_not_exist()
    )
    return F(names.SIGNATURE).equals(item[names.SIGNATURE]) & covered


def _is_in(signature: Iterable[_Signature], value: int) -> bool:
    return any(holds(part.held, value) for part in signature)


def _moment(head: Item) -> tuple[int, bool, str]:
    """Return where a message stands among others, a reply after its question of the same moment."""
    return head[names.CREATED], head[names.ROLE] == "assistant", message_id(head)


def _hit(query: Query, conversation: Conversation, match: _Match | None) -> SearchHit:
    title = query.highlighted(conversation.title)
    if match is None:
        return SearchHit(conversation=conversation, title=title)
    message, snippet = match.moment[-1], query.snippet(match.text)
    return SearchHit(conversation=conversation, title=title, message=message, snippet=snippet)
