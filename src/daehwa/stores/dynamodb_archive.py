"""Conversations moved out of the table and into it, whole."""

from collections.abc import AsyncIterator, Callable
from typing import Any, Final, TypeAlias

from aiodynamo.errors import ConditionalCheckFailed
from aiodynamo.expressions import Condition, F

from daehwa.conversation.archive import (
    arriving,
    images_shown,
    imported,
    in_order_of_use,
    is_brought_back,
    is_later,
    takes_place,
    unless_left_out,
)
from daehwa.conversation.archive_ports import ConversationRecord, Imported
from daehwa.conversation.errors import OwnedByAnother, StoreError
from daehwa.conversation.messages import Message
from daehwa.stores import dynamodb_table as names
from daehwa.stores.checking import checked_record
from daehwa.stores.dynamodb_client import DynamoTable, gathered
from daehwa.stores.dynamodb_conversation import (
    BEING_PURGED,
    StoredConversation,
    read_conversation,
    take_id,
)
from daehwa.stores.dynamodb_conversations import DynamoConversations, title_usage_attributes, title_usage_of
from daehwa.stores.dynamodb_images import put_images, read_image
from daehwa.stores.dynamodb_items import (
    conversation_id,
    conversation_item,
    conversation_of,
    listing,
    message_item,
    piece_items,
)
from daehwa.stores.dynamodb_signatures import DynamoSignatures
from daehwa.stores.dynamodb_text import in_pieces
from daehwa.stores.records import storable_beside_images

Item: TypeAlias = dict[str, Any]

_ATTEMPTS: Final = 50


class DynamoArchive:
    """What a store does to be moved."""

    def __init__(self, table: DynamoTable, signatures: DynamoSignatures, conversations: DynamoConversations) -> None:
        self._table = table
        self._signatures = signatures
        self._conversations = conversations

    async def export_conversations(
        self, owner: str | None, left_out: Callable[[str], None] | None
    ) -> AsyncIterator[ConversationRecord]:
        """Yield every conversation, as of when its turn comes; which there are, the index says.

        Those of an owner are asked for by their lists, as a function may. Those of all are read off the whole index,
        which only whoever moves a table may.
        """
        if owner is None:
            listed = [item for item in await self._table.scan_lists() if names.TITLE in item]
        else:
            listed = await self._conversations.all_of(owner)
        # One that is moved just now may stand in two lists.
        chosen = {conversation_id(item): conversation_of(item) for item in listed}
        for conversation in in_order_of_use(chosen.values()):
            if (record := await unless_left_out(self._record(conversation.id), left_out)) is not None:
                yield record

    async def _record(self, name: str) -> ConversationRecord | None:
        stored = await read_conversation(self._table, name)
        conversation, item = stored.conversation, stored.item
        if conversation is None or item is None or item.get(names.DELETED) == BEING_PURGED:
            return None
        images = [await read_image(self._table, head) for head in stored.image_heads().values()]
        return checked_record(
            conversation,
            stored.messages(),
            [image for image in images if image is not None],
            deleted=item.get(names.DELETED),
            title_usage=title_usage_of(item),
        )

    async def import_conversation(self, record: ConversationRecord) -> Imported:
        """Store what of a record is not there yet. The conversation itself comes last, so that one which was cut off in
        the middle is not shown, and the same import again completes it.
        """
        record = arriving(storable_beside_images(record))
        given = record.conversation
        number = 0  # of images that were stored, be it before an attempt failed
        for _ in range(_ATTEMPTS):
            stored = await read_conversation(self._table, given.id)
            there = stored.conversation
            _check_owner(record, stored)
            new = [message for message in record.messages if _arrives(message, stored)]
            is_newer = there is None or is_later(given, there)
            is_back = stored.item is not None and is_brought_back(record, stored.item.get(names.DELETED))
            heads = stored.image_heads()
            images = [image for image in images_shown(record, stored.message) if image.id not in heads]
            if not new and not images and not is_newer and not is_back:
                return imported(is_new=False, is_back=False, has_changed=False, images=number)
            await gathered(take_id(self._table, message, "messages") for message in new)
            await self._signatures.index_messages(given.owner, new)
            await put_images(self._table, given.id, images)
            number += len(images)
            await self._store_messages(new)
            turns = sum(message.role == "assistant" for message in new if stored.message(message.id) is None)
            if await self._store_conversation(record, stored.item, turns, is_newer=is_newer):
                return imported(is_new=there is None, is_back=is_back, has_changed=True, images=number)
        raise StoreError("This conversation is in use. Import it again in a moment.")

    async def _store_messages(self, messages: list[Message]) -> None:
        items = []
        for message in messages:
            text = in_pieces(message.parts)
            items += piece_items(message.conversation, message.id, text.new)
            items.append(message_item(message, text, None))
        await self._table.write_many(puts=items)

    async def _store_conversation(
        self, record: ConversationRecord, there: Item | None, turns: int, *, is_newer: bool
    ) -> bool:
        """Store a conversation in place of what was read; return false where that has changed."""
        item = dict(there) if there is not None else {}
        if is_newer:
            fresh = conversation_item(record.conversation, record.deleted) | title_usage_attributes(record.title_usage)
            item = {name: value for name, value in fresh.items() if value is not None}
        elif is_brought_back(record, item.get(names.DELETED)):
            del item[names.DELETED]
            item |= listing(conversation_of(item))
        item[names.TURNS] = turns + (0 if there is None else there.get(names.TURNS, 0))
        is_as_read: Condition = F(names.PARTITION_KEY).does_not_exist()
        if there is not None:
            is_as_read = F(names.ORDER).equals(there[names.ORDER]) & F(names.TITLE).equals(there[names.TITLE])
            is_as_read &= F(names.TURNS).equals(there.get(names.TURNS, 0))
        try:
            await self._table.put(item, condition=is_as_read)
        except ConditionalCheckFailed:
            return False
        return True


def _check_owner(record: ConversationRecord, stored: StoredConversation) -> None:
    if stored.item is None:
        return
    if stored.item[names.OWNER] != record.conversation.owner:
        raise OwnedByAnother(stored.item[names.OWNER])
    if stored.item.get(names.DELETED) == BEING_PURGED:
        raise StoreError("This conversation is just being removed for good. Import it again in a minute.")


def _arrives(message: Message, stored: StoredConversation) -> bool:
    there = stored.message(message.id)
    return there is None or takes_place(message, there)
