"""A conversation as the table holds it: read whole in one query, and the look-ups that all statements share."""

import asyncio
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any, Final, TypeAlias
from weakref import WeakValueDictionary

from aiodynamo.errors import ConditionalCheckFailed
from aiodynamo.expressions import Condition, F, HashKey, RangeKey

from daehwa.conversation.errors import ConversationNotFound, IdTaken, MessageNotFound
from daehwa.conversation.messages import Conversation, Message, Usage
from daehwa.conversation.stretch import KnownTree, Node
from daehwa.stores import dynamodb_table as names
from daehwa.stores.dynamodb_client import DynamoTable
from daehwa.stores.dynamodb_items import conversation_of, is_head, message_id, message_of, message_sort
from daehwa.stores.records import decode_usage

Item: TypeAlias = dict[str, Any]

BEING_PURGED: Final = 0
"""`deleted` of a conversation whose messages are going: it cannot be restored, and a next purge goes on with it."""
_LONGEST_ID: Final = 64
_SIGNS_OF_LIFE: Final = (names.PARTITION_KEY, names.SORT_KEY, names.CREATED, names.HEARTBEAT, names.RUNNER)


class StoredConversation:
    """All items of a conversation's partition but the pieces of images; a message is decoded when it is asked for."""

    def __init__(self, items: Iterable[Item]) -> None:
        self._items: dict[str, Item] = {item[names.SORT_KEY]: item for item in items}
        self.item = self._items.get(names.CONVERSATION_SORT)

    @cached_property
    def conversation(self) -> Conversation | None:
        """The conversation itself, whoever owns it and whether or not it is deleted."""
        return None if self.item is None else conversation_of(self.item)

    @property
    def is_deleted(self) -> bool:
        """Whether it is there and deleted."""
        return self.item is not None and names.DELETED in self.item

    def message(self, message: str | None) -> Message | None:
        """Return a message, or None where it is not in this conversation."""
        head = None if message is None else self._items.get(message_sort(message))
        return None if head is None else message_of(head, self._items)

    def messages(self) -> list[Message]:
        """Return all messages, in the order of their ids."""
        return [message_of(item, self._items) for item in self._items.values() if is_head(item)]

    def image_heads(self) -> dict[str, Item]:
        """Return the heads of all images, by their ids."""
        prefix = names.image_sort("")
        return {sort.removeprefix(prefix): item for sort, item in self._items.items() if sort.startswith(prefix)}

    def tree(self) -> KnownTree:
        """Return where each message is."""
        heads = filter(is_head, self._items.values())
        return KnownTree(
            Node(message_id(head), head.get(names.PARENT), head[names.ROLE], head[names.CREATED]) for head in heads
        )

    def usages(self) -> Iterator[Usage | None]:
        """Yield what each reply took."""
        return (decode_usage(item.get(names.USAGE)) for item in self._items.values())

    def message_ids(self) -> set[str]:
        """Return the ids of all messages."""
        return {message_id(item) for item in self._items.values() if is_head(item)}

    def has_system_messages(self) -> bool:
        """Whether it has messages that are given to a model from wherever they stand."""
        return any(item.get(names.ROLE) == "system" for item in self._items.values())

    def path_up_from(self, message: str | None) -> Iterator[Message]:
        """Yield the messages from this one up to the root of the tree."""
        while (value := self.message(message)) is not None:
            yield value
            message = value.parent


class ConversationLocks:
    """A lock for each conversation, kept as long as anybody holds it or waits for it. What this process does to one
    conversation at once would only fail on itself and be done again; other processes are met by conditions.
    """

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def of(self, conversation: str) -> asyncio.Lock:
        """Return the lock of a conversation."""
        return self._locks.setdefault(conversation, asyncio.Lock())


async def read_conversation(table: DynamoTable, conversation: str) -> StoredConversation:
    """Return what is stored under a conversation's id; it may be nothing."""
    before_images = RangeKey(names.SORT_KEY).lt(names.IMAGE_PIECE_SORT)
    return StoredConversation(await table.query(_partition(conversation) & before_images))


async def owned_item(table: DynamoTable, owner: str, conversation: str) -> Item:
    """Return the item of an owner's conversation. Raise `ConversationNotFound`, of a deleted one too."""
    item = await conversation_item_of(table, conversation)
    if item is None or item[names.OWNER] != owner or names.DELETED in item:
        raise ConversationNotFound
    return item


async def conversation_item_of(table: DynamoTable, conversation: str) -> Item | None:
    """Return a conversation's own item, whoever owns it."""
    if not could_be_id(conversation):
        return None
    return await table.get(names.conversation_partition(conversation), names.CONVERSATION_SORT)


async def owned_message(table: DynamoTable, owner: str, message: str, param: str) -> Message:
    """Return an owner's message by its id alone. Raise `MessageNotFound` naming the parameter."""
    place = await table.get(names.place_partition(message), names.PLACE_SORT) if could_be_id(message) else None
    if place is None:
        raise MessageNotFound(param)
    conversation: str = place[names.CONVERSATION]
    try:
        await owned_item(table, owner, conversation)
    except ConversationNotFound:
        raise MessageNotFound(param) from None
    return await message_in(table, conversation, message, param)


async def message_in(table: DynamoTable, conversation: str, message: str, param: str) -> Message:
    """Return a message of a conversation. Raise `MessageNotFound` naming the parameter."""
    sorts = RangeKey(names.SORT_KEY).begins_with(message_sort(message))
    stored = StoredConversation(await table.query(_partition(conversation) & sorts))
    found = stored.message(message)
    if found is None:
        raise MessageNotFound(param)
    return found


async def take_id(table: DynamoTable, message: Message, param: str) -> None:
    """Note where a message is going to be, so that no other conversation has one with its id. Raise `IdTaken`."""
    place = {
        names.PARTITION_KEY: names.place_partition(message.id),
        names.SORT_KEY: names.PLACE_SORT,
        names.CONVERSATION: message.conversation,
    }
    is_free = F(names.PARTITION_KEY).does_not_exist() | F(names.CONVERSATION).equals(message.conversation)
    try:
        await table.put(place, condition=is_free)
    except ConditionalCheckFailed:
        raise IdTaken(param) from None


async def streaming_replies(table: DynamoTable, conversation: str | None) -> list[Item]:
    """Return of the heads of replies that are being made what says whether they are: in one conversation, or in all,
    for which the whole table is read.
    """
    if conversation is None:
        return await table.scan(where=is_streaming(), fields=_SIGNS_OF_LIFE)
    if not could_be_id(conversation):
        return []
    of_messages = _partition(conversation) & RangeKey(names.SORT_KEY).begins_with(names.MESSAGE_SORT)
    return await table.query(of_messages, where=is_streaming(), fields=_SIGNS_OF_LIFE)


def is_streaming() -> Condition:
    """Return the condition that a head is that of a reply which is being made."""
    return F(names.STATUS).equals("streaming")


def could_be_id(text: str) -> bool:
    """Whether a text can be asked for: not everything that a client sends as an id fits into a key."""
    return text.isascii() and 0 < len(text) <= _LONGEST_ID


def _partition(conversation: str) -> HashKey:
    return HashKey(names.PARTITION_KEY, names.conversation_partition(conversation))
