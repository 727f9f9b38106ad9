"""Conversations of other products, converted as an import does it and looked at as a store does."""

import msgspec
from transfer.foreign import NOW, as_json

from daehwa.conversation.archive import arriving
from daehwa.conversation.archive_ports import ConversationRecord
from daehwa.conversation.messages import Message
from daehwa.transfer.converting import Converted, Unconverted, converted


def brought(value: object, owner: str = "me") -> Converted:
    [found] = converted(value if isinstance(value, bytes) else as_json(value), owner=owner, now=NOW)
    assert isinstance(found, Converted), found
    arriving(found.record)  # as a store looks at it
    msgspec.json.encode(found.record)  # as any encoding holds it
    return found


def left_out(value: object) -> Unconverted:
    [found] = converted(value if isinstance(value, bytes) else as_json(value), owner="me", now=NOW)
    assert isinstance(found, Unconverted)
    return found


def shown(record: ConversationRecord) -> list[Message]:
    """The path from the beginning to the leaf."""
    by_id = {message.id: message for message in record.messages}
    path, at = [], record.conversation.leaf
    while at is not None:
        path.append(by_id[at])
        at = by_id[at].parent
    return path[::-1]


def alternates(record: ConversationRecord) -> bool:
    roles = {message.id: message.role for message in record.messages}
    return all(message.parent is None or roles[message.parent] != message.role for message in record.messages)
