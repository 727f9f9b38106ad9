"""Items of the table as values of the core, and back. A message's text lies in its head and in the pieces it names."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from daehwa.conversation.errors import StoreError, Unreadable
from daehwa.conversation.messages import Conversation, Message
from daehwa.stores import dynamodb_table as table
from daehwa.stores.dynamodb_text import Text, joined
from daehwa.stores.records import decode_failure, decode_parts, decode_usage, encode_value, unreadable

Item: TypeAlias = dict[str, Any]


def piece_items(conversation: str, message: str, pieces: Mapping[str, bytes]) -> list[Item]:
    """Return earlier pieces of a text as items."""
    return [
        {
            table.PARTITION_KEY: table.conversation_partition(conversation),
            table.SORT_KEY: _piece_sort(message, name),
            table.TEXT: piece,
        }
        for name, piece in pieces.items()
    ]


def text_attributes(text: Text) -> Item:
    """Return the attributes of a head that hold its text."""
    return {table.TEXT: text.last, table.PIECES: list(text.earlier) or None}


def message_sort(message: str) -> str:
    """Return the sort key of a message's head; those of its pieces begin with it."""
    return f"{table.MESSAGE_SORT}{message}"


def _piece_sort(message: str, name: str) -> str:
    return f"{message_sort(message)}#{name}"


def message_item(message: Message, text: Text, runner: str | None) -> Item:
    """Return a message's head; `runner` only of a reply that is being made."""
    item = {
        table.PARTITION_KEY: table.conversation_partition(message.conversation),
        table.SORT_KEY: message_sort(message.id),
        table.PARENT: message.parent,
        table.ROLE: message.role,
        table.STATUS: message.status,
        table.MODEL: message.model,
        table.CREATED: message.created,
        table.POSITION: message.position,
        table.HEARTBEAT: message.heartbeat,
        table.RUNNER: runner,
        **end_attributes(message),
        **text_attributes(text),
    }
    return {name: value for name, value in item.items() if value is not None}


def end_attributes(message: Message) -> Item:
    """Return the attributes that a reply gets at its end."""
    return {
        table.FINISH: message.finish,
        table.USAGE: encode_value(message.usage),
        table.ERROR: encode_value(message.error),
    }


def message_of(item: Item, pieces: Mapping[str, Item]) -> Message:
    """Return a head as a value, with the text of the pieces that it names; they are given by their sort keys.
    Raise `Unreadable`.
    """
    try:
        return Message(
            id=message_id(item),
            conversation=conversation_id(item),
            parent=item.get(table.PARENT),
            role=item[table.ROLE],
            parts=decode_parts(whole_text(item, pieces)),
            status=item[table.STATUS],
            model=item.get(table.MODEL),
            finish=item.get(table.FINISH),
            usage=decode_usage(item.get(table.USAGE)),
            error=decode_failure(item.get(table.ERROR)),
            created=item[table.CREATED],
            position=item[table.POSITION],
            heartbeat=item.get(table.HEARTBEAT),
        )
    except Unreadable as error:
        raise unreadable(conversation_id(item), message_id(item)) from error


def whole_text(item: Item, pieces: Mapping[str, Item]) -> str:
    """Return the parts of the message whose head this is, as `encode_parts` wrote them."""
    try:
        earlier = [pieces[f"{item[table.SORT_KEY]}#{name}"] for name in item.get(table.PIECES, ())]
    except KeyError as error:
        raise StoreError("A part of this conversation is being removed. Open it again in a moment.") from error
    return joined(piece[table.TEXT] for piece in (*earlier, item))


def message_id(head: Item) -> str:
    """Return the id of the message whose head this is."""
    sort: str = head[table.SORT_KEY]
    return sort.removeprefix(table.MESSAGE_SORT)


def conversation_id(item: Item) -> str:
    """Return the id of the conversation to which an item belongs."""
    partition: str = item[table.PARTITION_KEY]
    return partition.removeprefix(table.conversation_partition(""))


def is_head(item: Item) -> bool:
    """Whether an item is a message's head, and not the conversation's own or a piece of a text."""
    sort: str = item[table.SORT_KEY]
    return sort.startswith(table.MESSAGE_SORT) and table.ROLE in item


def conversation_item(conversation: Conversation, deleted: int | None = None) -> Item:
    """Return a conversation's own item."""
    item = {
        table.PARTITION_KEY: table.conversation_partition(conversation.id),
        table.SORT_KEY: table.CONVERSATION_SORT,
        table.OWNER: conversation.owner,
        table.TITLE: conversation.title,
        table.TITLE_SOURCE: conversation.title_source,
        table.MODEL: conversation.model,
        table.LEAF: conversation.leaf,
        table.PINNED: conversation.pinned,
        table.ARCHIVED: conversation.archived,
        table.CREATED: conversation.created,
        table.UPDATED: conversation.updated,
        table.DELETED: deleted,
        **listing(conversation, deleted),
    }
    return {name: value for name, value in item.items() if value is not None}


def listing(conversation: Conversation, deleted: int | None = None) -> Item:
    """Return the index's keys: in which list a conversation stands, and where."""
    if deleted is not None:
        order = f"{table.moment_order(deleted)}#{conversation.id}"
        return {table.LIST: table.DELETED_LIST, table.ORDER: order}
    return {
        table.LIST: table.conversation_list(conversation.owner, archived=conversation.archived),
        table.ORDER: table.conversation_order(
            pinned=conversation.pinned, updated=conversation.updated, conversation=conversation.id
        ),
    }


def conversation_of(item: Item) -> Conversation:
    """Return a conversation's own item, or what the index holds of it, as a value."""
    return Conversation(
        id=conversation_id(item),
        owner=item[table.OWNER],
        title=item[table.TITLE],
        title_source=item[table.TITLE_SOURCE],
        model=item.get(table.MODEL),
        leaf=item.get(table.LEAF),
        pinned=item[table.PINNED],
        archived=item[table.ARCHIVED],
        created=item[table.CREATED],
        updated=item[table.UPDATED],
    )
