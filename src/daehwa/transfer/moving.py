"""Export and import: from a store to a file and back, with counts of what was moved, was there, or was left out."""

import asyncio
from collections.abc import Callable
from itertools import islice
from typing import BinaryIO

import msgspec

from daehwa.conversation.errors import Conflict, InvalidRequest, OwnedByAnother, Unreadable
from daehwa.conversation.export_file import End, FaultyLine, Head, Line, read_lines, write_line
from daehwa.conversation.ports import ConversationArchive, ConversationRecord

AT_ONCE = 8
"""So many conversations are stored side by side; no more are held in memory."""

Progress = Callable[["Moved"], None]


class Skipped(msgspec.Struct, frozen=True):
    """A line that was not stored, or a conversation without a line that could not be read; and why, as a sentence."""

    line: int | None
    reason: str


class Moved(msgspec.Struct, kw_only=True):
    """How far it has come: conversations by what became of them, and messages read.

    `is_whole` is False where the file ends before its end, or holds other numbers than it says.
    """

    conversations: int = 0
    messages: int = 0
    added: int = 0
    restored: int = 0
    changed: int = 0
    same: int = 0
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
        progress(moved)
    write_line(out, End(conversations=moved.conversations, messages=moved.messages))
    moved.is_whole = True
    return moved


async def import_conversations(
    archive: ConversationArchive,
    source: BinaryIO,
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
    lines = read_lines(source)
    end: End | None = None
    while some := list(islice(lines, AT_ONCE)):
        arrived, found = _sorted(some, moved)
        end = found or end
        given = [(number, _given_to(owner, line.record)) for number, line in arrived]
        outcomes = await asyncio.gather(
            *(_store(archive, number, record, called) for number, record in given), return_exceptions=True
        )
        for (_, record), outcome in zip(given, outcomes, strict=True):
            if isinstance(outcome, BaseException):
                raise outcome  # when all that was begun with it is over
            _count(moved, record, outcome)
        progress(moved)
    moved.is_whole = end is not None and (end.conversations, end.messages) == (
        moved.conversations,
        moved.messages,
    )
    return moved


def _sorted(some: list[tuple[int, Line | End] | FaultyLine], moved: Moved) -> tuple[list[tuple[int, Line]], End | None]:
    records, end = [], None
    for entry in some:
        if isinstance(entry, FaultyLine):
            moved.skipped.append(Skipped(entry.number, entry.reason))
        elif isinstance(entry[1], End):
            end = entry[1]
        else:
            records.append((entry[0], entry[1]))
    return records, end


def _given_to(owner: Callable[[str], str], record: ConversationRecord) -> ConversationRecord:
    conversation = msgspec.structs.replace(record.conversation, owner=owner(record.conversation.owner))
    return msgspec.structs.replace(record, conversation=conversation)


async def _store(
    archive: ConversationArchive, number: int, record: ConversationRecord, called: Callable[[str], str]
) -> str | Skipped:
    try:
        return await archive.import_conversation(record)
    except OwnedByAnother as error:
        kept = f"it belongs to {called(error.owner)} here already, and is left there."
        return Skipped(number, f"“{record.conversation.title}”: {kept}")
    except (Conflict, InvalidRequest, Unreadable) as error:
        return Skipped(number, f"“{record.conversation.title}”: {error.message}")


def _count(moved: Moved, record: ConversationRecord, outcome: str | Skipped) -> None:
    moved.conversations += 1
    moved.messages += len(record.messages)
    match outcome:
        case Skipped():
            moved.skipped.append(outcome)
        case "added":
            moved.added += 1
        case "restored":
            moved.restored += 1
        case "changed":
            moved.changed += 1
        case _:
            moved.same += 1
