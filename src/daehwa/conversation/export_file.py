"""The file of an export: JSON Lines in UTF-8, one conversation a line.

The first line says what the file is, the last one how much is in it: a file without it was cut off. Each line
in between holds a `ConversationRecord`.
"""

from collections.abc import Iterator
from typing import IO, Self

import msgspec

from daehwa.conversation.archive_ports import ConversationRecord
from daehwa.conversation.errors import InvalidRequest
from daehwa.conversation.ids import now_ms

VERSION = 1
LINE_BYTES = 512 * 1024 * 1024
"""The longest line that is read: a conversation of 500 MB."""


class NotAnExport(InvalidRequest):
    """The file is not an export of daehwa, or one of a newer version."""

    type = "not_an_export"


class Head(msgspec.Struct, frozen=True, kw_only=True, tag="daehwa-export", tag_field="type"):
    """The first line. `created` is in milliseconds since 1970, `daehwa` the version that wrote it.

    `people` are the e-mail addresses of the owners, by their ids: at another home the same person has another id.
    """

    version: int
    daehwa: str
    created: int
    people: dict[str, str] = {}

    @classmethod
    def of(cls, daehwa: str, people: dict[str, str]) -> Self:
        """Return the head of a file that is begun now."""
        return cls(version=VERSION, daehwa=daehwa, created=now_ms(), people=people)


class Line(msgspec.Struct, frozen=True, kw_only=True, tag="conversation", tag_field="type"):
    """A conversation."""

    record: ConversationRecord


class End(msgspec.Struct, frozen=True, kw_only=True, tag="end", tag_field="type"):
    """The last line: what came before it."""

    conversations: int
    messages: int


class FaultyLine(msgspec.Struct, frozen=True):
    """A line that cannot be meant; `number` counts from 1, `reason` is a sentence."""

    number: int
    reason: str


_UNDECODABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_encode = msgspec.json.Encoder().encode
_head = msgspec.json.Decoder(Head)
_line = msgspec.json.Decoder(Line | End)


def write_line(out: IO[bytes], value: Head | Line | End) -> None:
    """Write one line."""
    out.write(_encode(value) + b"\n")


def read_head(source: IO[bytes]) -> Head:
    """Read the first line. Raise `NotAnExport`."""
    try:
        head = _head.decode(source.readline(LINE_BYTES))
    except _UNDECODABLE:
        raise NotAnExport("This is not an export of daehwa. Give a file that `daehwa export` wrote.") from None
    if head.version > VERSION:
        raise NotAnExport(
            f"This export was written by a newer daehwa ({head.daehwa}). Install that version, or a later one."
        )
    return head


def read_lines(source: IO[bytes]) -> Iterator[tuple[int, Line | End] | FaultyLine]:
    """Yield what follows the first line, numbered; a line that cannot be read does not end it. The last one may lack
    its end, as editors leave it.
    """
    number = 1
    while text := source.readline(LINE_BYTES):
        number += 1
        if not text.strip():
            continue
        is_ended = text.endswith(b"\n")
        if not is_ended and len(text) >= LINE_BYTES:
            yield FaultyLine(number, "it is longer than any can be")
            return
        try:
            line = _line.decode(text)
        except _UNDECODABLE:
            reason = "it is not a conversation as daehwa writes one" if is_ended else "it is cut off"
            yield FaultyLine(number, reason)
        else:
            yield number, line
