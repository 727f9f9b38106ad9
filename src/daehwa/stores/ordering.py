"""The orders that every store keeps: messages of a conversation, conversations of a list and its cursors."""

import base64
import binascii
import heapq
from collections import defaultdict
from collections.abc import Iterable
from typing import Annotated

import msgspec

from daehwa.conversation.errors import InvalidRequest
from daehwa.conversation.messages import Conversation, Message


def in_tree_order(messages: Iterable[Message]) -> tuple[Message, ...]:
    """Return messages oldest first (ties by id), but parents always before children, whatever the clocks said."""
    ordered = sorted(messages, key=lambda message: (message.created, message.id))
    seen: set[str | None] = {None}
    for message in ordered:
        if message.parent not in seen:
            return _by_tree(ordered)
        seen.add(message.id)
    return tuple(ordered)


def _by_tree(ordered: list[Message]) -> tuple[Message, ...]:
    ids = {message.id for message in ordered}
    children: defaultdict[str | None, list[int]] = defaultdict(list)
    for index, message in enumerate(ordered):
        children[message.parent if message.parent in ids else None].append(index)
    ready = children[None]
    heapq.heapify(ready)
    result = []
    while ready:
        message = ordered[heapq.heappop(ready)]
        result.append(message)
        for index in children.get(message.id, ()):
            heapq.heappush(ready, index)
    return tuple(result)


class ListPosition(msgspec.Struct, frozen=True, array_like=True, order=True):
    """Where a conversation stands in a list, largest first: what a cursor holds."""

    pinned: bool
    updated: Annotated[int, msgspec.Meta(ge=0, lt=2**62)]
    id: Annotated[str, msgspec.Meta(max_length=64)]


def position_in_list(conversation: Conversation) -> ListPosition:
    """Return where a conversation stands in the list of its owner."""
    return ListPosition(conversation.pinned, conversation.updated, conversation.id)


def encode_cursor(position: ListPosition) -> str:
    """Return a position as an opaque text."""
    return base64.urlsafe_b64encode(msgspec.json.encode(position)).decode().rstrip("=")


def decode_cursor(text: str) -> ListPosition:
    """Return the position in a cursor that `encode_cursor` made; else raise `InvalidRequest`."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        position = msgspec.json.decode(raw, type=ListPosition)
    except (ValueError, binascii.Error) as error:
        raise _bad_cursor() from error
    if encode_cursor(position) != text:
        raise _bad_cursor()
    return position


def _bad_cursor() -> InvalidRequest:
    return InvalidRequest("'after' is not a cursor of this list. Begin again without it.", param="after")
