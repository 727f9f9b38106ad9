"""The signatures of conversations in the table: kept when replies end, and known for a while to whoever searches.

How this works and why. Whoever types searches at every letter, so what was read of an owner's signatures is kept for a
minute. Which of them are out of date is known without reading them: the list of conversations, which every search
reads, says how many replies each has, and a signature says which it covers. Those that lack one are read again, alone.
What a minute may hide is what another process wrote in place of an ended reply: where its runner was slow and not dead,
and by an import.
"""

import asyncio
import time
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Final

import msgspec
from aiodynamo.errors import ConditionalCheckFailed
from aiodynamo.expressions import Condition, F, HashKey, RangeKey

from daehwa.conversation.messages import Message
from daehwa.stores import dynamodb_table as names
from daehwa.stores.dynamodb_client import DynamoTable, gathered
from daehwa.stores.dynamodb_conversation import StoredConversation
from daehwa.stores.dynamodb_items import Item, message_sort
from daehwa.stores.dynamodb_reading import ListedItem, SignatureItem, read_list, read_signatures
from daehwa.stores.search_signature import decode, encode, hashes_of, holds

_SHARES: Final = (("0", "3"), ("4", "7"), ("8", "b"), ("c", "f"))
"""First and last of the digits with which the sort keys of a share of the signatures begin."""
_AFTER_ALL: Final = "~"
_HASHES_IN_ONE: Final = 1_600
"""Of an item of a signature: about 2 KB, so that a turn writes two units. What comes after begins a further item."""
_DIGEST_BYTES: Final = 4
_ATTEMPTS: Final = 20
_KNOWN_SECONDS: Final = 60.0
_KNOWN_BYTES: Final = 32_000_000
"""Of all owners together, with a third for what Python adds."""
_READ_ALONE: Final = 24
"""Signatures out of date that are read one by one; where there are more, all are read."""


class Signature(msgspec.Struct, frozen=True):
    """All items of a conversation's signature together: what they hold, and how many replies they cover."""

    held: tuple[bytes, ...] = ()
    covered: int = 0

    def may_hold(self, value: int) -> bool:
        """Whether a text in the conversation may have the token with this hash."""
        return any(holds(part, value) for part in self.held)

    @property
    def size(self) -> int:
        """How much memory it takes, about."""
        return sum(map(len, self.held)) + 200


NO_SIGNATURE: Final = Signature()


class _Known:
    """What was read a short while ago, by owner, the one who searched last at the end."""

    def __init__(self) -> None:
        self._of: OrderedDict[str, tuple[float, dict[str, Signature]]] = OrderedDict()

    def of(self, owner: str) -> dict[str, Signature] | None:
        """Return what is known of an owner, None where nothing is that is fresh enough."""
        until, signatures = self._of.get(owner, (0.0, {}))
        return signatures if time.monotonic() < until else None

    def keep(self, owner: str, signatures: dict[str, Signature]) -> None:
        """Keep all signatures of an owner, and forget whoever has not searched for longest where it is too much."""
        self._of.pop(owner, None)
        self._of[owner] = time.monotonic() + _KNOWN_SECONDS, signatures
        while self._of and sum(one.size for _, all_of in self._of.values() for one in all_of.values()) > _KNOWN_BYTES:
            self._of.popitem(last=False)

    def forget(self, owner: str, conversation: str) -> None:
        """Forget one that was written here."""
        _, signatures = self._of.get(owner, (0.0, {}))
        signatures.pop(conversation, None)


class DynamoSignatures:
    """The signatures of what a `DynamoStore` keeps."""

    def __init__(self, table: DynamoTable) -> None:
        self._table = table
        self._known = _Known()

    # ------------------------------------------------------------ keeping

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
            self._known.forget(owner, messages[0].conversation)
            return

    async def forget(self, owner: str, conversation: str) -> None:
        """Remove the signature of a conversation."""
        items = await self._signature_of(owner, conversation)
        self._known.forget(owner, conversation)
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

    # ------------------------------------------------------------ reading

    async def read(self, owner: str) -> tuple[list[ListedItem], Mapping[str, Signature]]:
        """Return all conversations of an owner, in no order, and the signatures that there are, by conversation."""
        lists = gathered(read_list(self._table, owner, archived=archived) for archived in (False, True))
        known = self._known.of(owner)
        if known is None:
            listed, signatures = await asyncio.gather(lists, self._read_all(owner))
            return [*chain.from_iterable(listed)], signatures
        everything = [*chain.from_iterable(await lists)]
        behind = [at.id for at in everything if known.get(at.id, NO_SIGNATURE).covered < at.turns]
        if len(behind) > _READ_ALONE:
            return everything, await self._read_all(owner)
        for conversation, signature in zip(
            behind, await gathered(self._read_one(owner, at) for at in behind), strict=True
        ):
            known[conversation] = signature
        return everything, known

    async def _read_all(self, owner: str) -> dict[str, Signature]:
        sort = names.SIGNATURE_SORT
        shares = (
            read_signatures(self._table, owner, sort + first, sort + last + _AFTER_ALL) for first, last in _SHARES
        )
        items: defaultdict[str, list[SignatureItem]] = defaultdict(list)
        for item in chain.from_iterable(await gathered(shares)):
            items[item.conversation].append(item)
        signatures = {conversation: _together(its) for conversation, its in items.items()}
        self._known.keep(owner, signatures)
        return signatures

    async def _read_one(self, owner: str, conversation: str) -> Signature:
        sort = names.signature_sort(conversation)
        return _together(await read_signatures(self._table, owner, sort, sort + _AFTER_ALL))


def _together(items: Iterable[SignatureItem]) -> Signature:
    items = [*items]
    return Signature(
        held=tuple(item.signature.value for item in items),
        covered=sum(len(item.covered) for item in items) // _DIGEST_BYTES,
    )


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
