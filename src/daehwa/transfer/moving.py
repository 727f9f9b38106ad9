"""Export and import: from a store to a file and back, with counts of what was moved, was there, or was left out."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import IO, BinaryIO, Final, TypeAlias

import msgspec

from daehwa.conversation.archive_ports import ConversationArchive, ConversationRecord, Imported
from daehwa.conversation.errors import Conflict, InvalidRequest, OwnedByAnother, Unreadable
from daehwa.conversation.export_file import End, FaultyLine, Head, Line, read_lines, write_line
from daehwa.transfer.converting import Converted, Unconverted
from daehwa.transfer.exports import Element, Fault
from daehwa.transfer.texts import Lost

AT_ONCE = 8
"""So many conversations are stored side by side; no more are held in memory."""
_IMAGE_BYTES_AT_ONCE: Final = 64_000_000
"""Once so large are their images together, no further one is read beside them."""

Progress = Callable[["Moved"], None]
ReadElement: TypeAlias = Callable[[bytes], Iterator[Converted | Unconverted]]
"""Returns what an element of another product's export becomes: see `converted`."""


class Skipped(msgspec.Struct, frozen=True):
    """A conversation that was not stored, at which place of the file where that is known; and why, as a sentence."""

    where: str | None
    reason: str


class Nothing(msgspec.Struct, frozen=True):
    """A conversation of another product in which there is nothing."""


Found: TypeAlias = tuple[str, ConversationRecord] | Skipped | Nothing
"""What a file holds at a place: a conversation, or why it holds none."""


class Moved(msgspec.Struct, kw_only=True):
    """How far it has come: conversations by what became of them, messages read, and images that
    were written: those that are there already do not count.

    `is_whole` is False where the file ends before its end, or holds other numbers than it says. `empty` are those of
    another product with nothing in them, `lost` is what else of it was not brought, by kind.
    """

    conversations: int = 0
    messages: int = 0
    images: int = 0
    added: int = 0
    restored: int = 0
    changed: int = 0
    same: int = 0
    empty: int = 0
    lost: Lost = msgspec.field(default_factory=Lost)
    skipped: list[Skipped] = msgspec.field(default_factory=list)
    is_whole: bool = False


async def export_conversations(
    archive: ConversationArchive, out: BinaryIO, *, head: Head, owner: str | None, progress: Progress
) -> Moved:
    """Write every conversation, of one owner or of all; one that cannot be read is noted and passed over. Raise
    `StoreError`.
    """
    moved = Moved()

    def leave_out(reason: str) -> None:
        moved.skipped.append(Skipped(None, reason))

    write_line(out, head)
    async for record in archive.export_conversations(owner, left_out=leave_out):
        write_line(out, Line(record=record))
        moved.conversations += 1
        moved.messages += len(record.messages)
        moved.images += len(record.images)
        progress(moved)
    write_line(out, End(conversations=moved.conversations, messages=moved.messages))
    moved.is_whole = True
    return moved


async def import_conversations(
    archive: ConversationArchive,
    source: IO[bytes],
    *,
    owner: Callable[[str], str],
    progress: Progress,
    called: Callable[[str], str] = str,
) -> Moved:
    """Store every conversation of an export whose head has been read; `owner` says who is to own what was somebody's,
    and `called` how an owner is called who keeps what is here already.

    A line that cannot be stored is noted and passed over; what is there already stays, so that the same import can be
    run again. Raise `StoreError` where the store cannot go on, and what `owner` raises.
    """
    moved = Moved()
    ends: list[End] = []
    await store_all(archive, _lines(source, owner, ends), moved, progress, called)
    counts = (moved.conversations, moved.messages)
    moved.is_whole = bool(ends) and (ends[-1].conversations, ends[-1].messages) == counts
    return moved


async def bring_conversations(
    archive: ConversationArchive,
    elements: Iterable[Element | Fault],
    *,
    read: ReadElement,
    progress: Progress,
    called: Callable[[str], str] = str,
) -> Moved:
    """Store every conversation of another product's export, as `read` converts what stands in it; otherwise as
    `import_conversations`.
    """
    moved = Moved(is_whole=True)
    await store_all(archive, _converted(elements, read, moved), moved, progress, called)
    return moved


async def store_all(
    archive: ConversationArchive,
    found: Iterator[Found],
    moved: Moved,
    progress: Progress,
    called: Callable[[str], str],
) -> None:
    """Store all that is found, some side by side, and count it."""
    while some := _some(found):
        await _store_some(archive, some, moved, called)
        some.clear()  # before the next ones are read
        progress(moved)


async def _store_some(
    archive: ConversationArchive, some: list[Found], moved: Moved, called: Callable[[str], str]
) -> None:
    given = [each for each in some if isinstance(each, tuple)]
    moved.skipped += [each for each in some if isinstance(each, Skipped)]
    moved.empty += sum(isinstance(each, Nothing) for each in some)
    outcomes = await asyncio.gather(
        *(_store(archive, where, record, called) for where, record in given), return_exceptions=True
    )
    for (_, record), outcome in zip(given, outcomes, strict=True):
        if isinstance(outcome, BaseException):
            raise outcome  # when all that was begun with it is over
        _count(moved, record, outcome)


def _some(found: Iterator[Found]) -> list[Found]:
    """Return what is stored side by side: a few conversations, and fewer where they have large images."""
    some: list[Found] = []
    left = _IMAGE_BYTES_AT_ONCE
    while len(some) < AT_ONCE and left > 0 and (each := next(found, None)) is not None:
        some.append(each)
        if isinstance(each, tuple):
            left -= sum(len(image.data) for image in each[1].images)
    return some


def _lines(source: IO[bytes], owner: Callable[[str], str], ends: list[End]) -> Iterator[Found]:
    for entry in read_lines(source):
        if isinstance(entry, FaultyLine):
            yield Skipped(f"line {entry.number}", entry.reason)
        elif isinstance(entry[1], End):
            ends.append(entry[1])
        else:
            yield f"line {entry[0]}", _given_to(owner, entry[1].record)


def _converted(elements: Iterable[Element | Fault], read: ReadElement, moved: Moved) -> Iterator[Found]:
    for element in elements:
        if isinstance(element, Fault):
            yield Skipped(element.where, element.reason)
        else:
            # Nothing here keeps a conversation with all its images while the next one is read.
            yield from map(partial(_found, element.where, moved), read(element.text))


def _found(where: str, moved: Moved, each: Converted | Unconverted) -> Found:
    if isinstance(each, Converted):
        moved.lost.update(each.lost)
        return where, each.record
    if each.is_empty:
        return Nothing()
    return Skipped(where, f"“{each.title}”: {each.reason}" if each.title else each.reason)


def _given_to(owner: Callable[[str], str], record: ConversationRecord) -> ConversationRecord:
    conversation = msgspec.structs.replace(record.conversation, owner=owner(record.conversation.owner))
    return msgspec.structs.replace(record, conversation=conversation)


async def _store(
    archive: ConversationArchive, where: str, record: ConversationRecord, called: Callable[[str], str]
) -> Imported | Skipped:
    try:
        return await archive.import_conversation(record)
    except OwnedByAnother as error:
        return Skipped(where, _named(record, f"it belongs to {called(error.owner)} here already, and is left there."))
    except (Conflict, InvalidRequest, Unreadable) as error:
        return Skipped(where, _named(record, error.message))


def _named(record: ConversationRecord, reason: str) -> str:
    return f"“{record.conversation.title}”: {reason}"


def _count(moved: Moved, record: ConversationRecord, became: Imported | Skipped) -> None:
    moved.conversations += 1
    moved.messages += len(record.messages)
    if isinstance(became, Skipped):
        moved.skipped.append(became)
        return
    moved.images += became.images
    match became.outcome:
        case "added":
            moved.added += 1
        case "restored":
            moved.restored += 1
        case "changed":
            moved.changed += 1
        case "same":
            moved.same += 1
