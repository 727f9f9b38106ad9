"""The rules of moving conversations in and out: what may come in, what gives way to it, and what is left out."""

from collections.abc import Awaitable, Callable, Iterable

import msgspec

from daehwa.conversation.archive_ports import ConversationRecord, Imported, Outcome
from daehwa.conversation.errors import InvalidRequest, Unreadable
from daehwa.conversation.ids import checked_id
from daehwa.conversation.images import Image
from daehwa.conversation.messages import Conversation, Message

_MOST = 2**53
"""The largest number that every program which reads such a file holds exactly; a store holds ten bits more."""


def arriving(record: ConversationRecord) -> ConversationRecord:
    """Return a record as it is to be stored: nobody goes on with its replies, and of its images there are those that
    its messages name, each once. Raise as `check_record` does.
    """
    check_record(record)
    messages = tuple(_ended(message) for message in record.messages)
    return msgspec.structs.replace(record, messages=messages, images=_named_images(record))


def check_record(record: ConversationRecord) -> None:
    """Raise `InvalidRequest` where the messages are no tree of this conversation, an id is none that a client could
    have made, or a number is out of range.
    """
    checked_id(record.conversation.id, "conversation")
    _check_numbers(record)
    _check_tree(record)
    for image in record.images:
        checked_id(image.id, "images")


def _named_images(record: ConversationRecord) -> tuple[Image, ...]:
    named = {part.image for message in record.messages for part in message.images}
    first: dict[str, Image] = {}
    for image in record.images:
        if image.id in named:
            first.setdefault(image.id, image)
    return tuple(first.values())


def _check_tree(record: ConversationRecord) -> None:
    seen: set[str | None] = {None}
    for message in record.messages:
        if message.conversation != record.conversation.id or message.id in seen or message.parent not in seen:
            raise InvalidRequest(
                f"Message '{message.id}' does not fit into conversation '{record.conversation.id}': its parent has to "
                "stand before it, and no message twice. Export the conversation anew.",
                param="messages",
            )
        seen.add(checked_id(message.id, "message"))
        for part in message.images:
            checked_id(part.image, "image")
    if record.conversation.leaf not in seen:
        raise InvalidRequest(
            f"Conversation '{record.conversation.id}' is open at a message that it does not have. Export it anew.",
            param="leaf",
        )


def _check_numbers(record: ConversationRecord) -> None:
    for value in (record.conversation, record.title_usage, *record.messages):
        _check_number_of(value)
    for message in record.messages:
        _check_number_of(message.usage)
        for part in message.images:
            _check_number_of(part)
    if record.deleted is not None and not 0 < record.deleted <= _MOST:
        raise _out_of_range("deleted")


def _check_number_of(value: msgspec.Struct | None) -> None:
    for name in () if value is None else value.__struct_fields__:
        number = getattr(value, name)
        if isinstance(number, int) and not 0 <= number <= _MOST:
            raise _out_of_range(name)


def _out_of_range(name: str) -> InvalidRequest:
    return InvalidRequest(f"'{name}' is a number that nothing here can have. Export the conversation anew.", param=name)


def _ended(message: Message) -> Message:
    return msgspec.structs.replace(message, status="interrupted") if message.status == "streaming" else message


def is_later(given: Conversation, there: Conversation) -> bool:
    """Whether a conversation that comes in takes the place of the one that is there."""
    return given.updated > there.updated


def is_brought_back(record: ConversationRecord, deleted: int | None) -> bool:
    """Whether a conversation that was deleted here is shown again: whoever imports it wants to have it."""
    return deleted is not None and record.deleted is None


def imported(*, is_new: bool, is_back: bool, has_changed: bool, images: int) -> Imported:
    """Return what an import says it has done; `images` is how many of them it stored."""
    has_changed |= images > 0
    outcome: Outcome = "added" if is_new else "restored" if is_back else "changed" if has_changed else "same"
    return Imported(outcome, images)


def takes_place(given: Message, there: Message) -> bool:
    """Whether a message that comes in takes the place of the one that is there: a final one, of one that is not."""
    return is_final(given) and not is_final(there)


def images_shown(record: ConversationRecord, there: Callable[[str], Message | None]) -> tuple[Image, ...]:
    """Return the images that a record's messages show once it is stored. One that is there already, and stays as it is,
    may show none of those that come with it now.
    """
    named: set[str] = set()
    for message in record.messages:
        if message.images:
            found = there(message.id)
            stored = message if found is None or takes_place(message, found) else found
            named.update(part.image for part in stored.images)
    return tuple(image for image in record.images if image.id in named)


def is_final(message: Message) -> bool:
    """Whether nobody will write this message any more. One that was interrupted still waits for its runner's word."""
    return message.status != "streaming" and not (message.status == "interrupted" and message.error is None)


def in_order_of_use(conversations: Iterable[Conversation]) -> list[Conversation]:
    """Return conversations as they are exported: so that what is imported last was used last."""
    return sorted(conversations, key=lambda conversation: (conversation.updated, conversation.id))


async def unless_left_out(
    reading: Awaitable[ConversationRecord | None], left_out: Callable[[str], None] | None
) -> ConversationRecord | None:
    """Return what is read; where it cannot be read, None, and `left_out` is told why. Raise `Unreadable` where that is
    None: then nothing may be left out.
    """
    try:
        return await reading
    except Unreadable as error:
        if left_out is None:
            raise
        left_out(error.message)
        return None
