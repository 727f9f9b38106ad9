"""The one codec of every store: messages and conversations to text and back. It knows no database."""

from collections.abc import Iterable
from typing import Any, Final, NoReturn, TypeVar

import msgspec

from daehwa.conversation.archive_ports import ConversationRecord
from daehwa.conversation.errors import Unreadable
from daehwa.conversation.messages import Failure, Part, TextPart, Usage
from daehwa.conversation.ports import NewTurn

T = TypeVar("T")
Imaged = TypeVar("Imaged", NewTurn, ConversationRecord)

TOKENS: Final = ("input", "output", "cached", "reasoning")
"""The fields of a usage that count tokens."""

_UNDECODABLE = (msgspec.MsgspecError, UnicodeError, RecursionError)
_encoder = msgspec.json.Encoder()
_parts_decoder = msgspec.json.Decoder(tuple[Part, ...])
_usage_decoder = msgspec.json.Decoder(Usage)
_usages_decoder = msgspec.json.Decoder(list[Usage])
_failure_decoder = msgspec.json.Decoder(Failure)


def encode_parts(parts: Iterable[Part]) -> bytes:
    """Return parts as JSON in UTF-8; half a surrogate pair, which no encoding can hold, becomes U+FFFD."""
    parts = tuple(parts)
    try:
        return _encoder.encode(parts)
    except UnicodeEncodeError:
        return _encoder.encode(tuple(storable(part) for part in parts))


def decode_parts(text: str | bytes) -> tuple[Part, ...]:
    """Return the parts that `encode_parts` wrote. Raise `Unreadable`."""
    try:
        return _parts_decoder.decode(text)
    except _UNDECODABLE as error:
        _refuse(error)


def text_of(parts: str | bytes) -> str:
    """Return the text that the reader sees of what `encode_parts` wrote. Raise `Unreadable`."""
    return "".join(part.text for part in decode_parts(parts) if isinstance(part, TextPart))


def legible_text_of(parts: str | bytes) -> str:
    """Return the same; of parts that cannot be read, none."""
    try:
        return text_of(parts)
    except Unreadable:
        return ""


def encode_value(value: Usage | Failure | None) -> str | None:
    """Return token counts or a failure as JSON, None as None."""
    return None if value is None else _encoder.encode(storable(value)).decode()


def decode_usage(text: str | None) -> Usage | None:
    """Return the token counts that `encode_value` wrote. Raise `Unreadable`."""
    try:
        return None if text is None else _usage_decoder.decode(text)
    except _UNDECODABLE as error:
        _refuse(error)


def legible_usage(text: str | None) -> Usage | None:
    """Return the same; of what cannot be read, None. For counts that nothing else hangs on."""
    try:
        return decode_usage(text)
    except Unreadable:
        return None


def decode_usages(texts: str | None) -> list[Usage]:
    """Return token counts that `encode_value` wrote, with a comma between each; None are none. Raise `Unreadable`."""
    try:
        return _usages_decoder.decode(f"[{texts or ''}]")
    except _UNDECODABLE as error:
        _refuse(error)


def decode_failure(text: str | None) -> Failure | None:
    """Return the failure that `encode_value` wrote. Raise `Unreadable`."""
    try:
        return None if text is None else _failure_decoder.decode(text)
    except _UNDECODABLE as error:
        _refuse(error)


def unreadable(conversation: str, message: str) -> Unreadable:
    """Return the fault of a message that cannot be read, as a sentence that says what to do."""
    return Unreadable(
        f"Message {message} of conversation {conversation} cannot be read: what is stored of it was changed, or the "
        "disk has damaged it. Delete the conversation, or put back an earlier copy of all data; the others are whole."
    )


def unreadable_conversation(conversation: str) -> Unreadable:
    """Return the fault of a conversation of which not all can be read, as a sentence that says what to do."""
    return Unreadable(
        f"Conversation {conversation} cannot be read whole: what is stored of it was changed, or the disk has damaged "
        "it. Delete the conversation, or put back an earlier copy of all data; the others are whole."
    )


def _refuse(error: Exception) -> NoReturn:
    raise Unreadable("What is stored was changed, or the disk has damaged it: it cannot be read.") from error


def added(first: Usage | None, second: Usage | None) -> Usage | None:
    """Return the sum of two usages, None where there is none. It is estimated where one of them is; what is known of
    the cost is summed.
    """
    if first is None or second is None:
        return first or second
    costs = [usage.cost for usage in (first, second) if usage.cost is not None]
    return Usage(
        **{name: getattr(first, name) + getattr(second, name) for name in TOKENS},
        estimated=first.estimated or second.estimated,
        cost=sum(costs) if costs else None,
    )


def storable(value: T) -> T:
    """Return a value (text or struct) without halves of surrogate pairs, which UTF-8 cannot hold: U+FFFD instead."""
    try:
        _encoder.encode(value)
    except UnicodeEncodeError:
        return msgspec.convert(_mended(msgspec.to_builtins(value)), type(value))
    return value


def storable_beside_images(value: Imaged) -> Imaged:
    """Return the same of what has images, whose bytes are left as they are: megabytes that need no looking at."""
    bare = storable(msgspec.structs.replace(value, images=()))
    return msgspec.structs.replace(bare, images=value.images)


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, dict):
        return {key: _mended(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_mended(inner) for inner in value]
    return value
