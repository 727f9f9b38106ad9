"""Whether what is stored is what a store writes: asked by whoever takes it along, or looks at all of it.

A changed byte may leave a text that decodes: a role that is none, a parent that is nowhere. Opening a conversation does
not pay for finding that.
"""

from collections.abc import Iterable

import msgspec

from daehwa.conversation.archive import check_record
from daehwa.conversation.archive_ports import ConversationRecord
from daehwa.conversation.errors import InvalidRequest
from daehwa.conversation.images import Image
from daehwa.conversation.messages import Conversation, Message, Usage
from daehwa.stores.ordering import in_tree_order
from daehwa.stores.records import unreadable, unreadable_conversation


def checked_message(message: Message) -> Message:
    """Return a message of whose fields each is what it may be, else raise `Unreadable`."""
    if not _is_typed(message):
        raise unreadable(message.conversation, message.id)
    return message


def checked_conversation(conversation: Conversation) -> Conversation:
    """Return a conversation of whose fields each is what it may be, else raise `Unreadable`."""
    if not _is_typed(conversation):
        raise unreadable_conversation(conversation.id)
    return conversation


def checked_record(
    conversation: Conversation,
    messages: Iterable[Message],
    images: Iterable[Image] = (),
    *,
    deleted: int | None,
    title_usage: Usage | None,
) -> ConversationRecord:
    """Return all that is stored of a conversation, which another store takes in, else raise `Unreadable`."""
    checked = [checked_message(message) for message in messages]
    head = ConversationRecord(
        conversation=checked_conversation(conversation), messages=(), deleted=deleted, title_usage=title_usage
    )
    record = msgspec.structs.replace(head, messages=in_tree_order(checked), images=tuple(images))
    is_whole = len(record.messages) == len(checked)  # what lies in a ring has no place in the order
    if not is_whole or not all(map(_is_typed, (head, *record.images))):
        raise unreadable_conversation(conversation.id)
    try:
        check_record(record)
    except InvalidRequest as error:
        raise unreadable_conversation(conversation.id) from error
    return record


def _is_typed(value: msgspec.Struct) -> bool:
    try:
        msgspec.convert(msgspec.to_builtins(value, builtin_types=(bytes,)), type(value))
    except msgspec.ValidationError:
        return False
    return True
