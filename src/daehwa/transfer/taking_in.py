"""Conversations that a person brings by the page: what they send is not trusted to be what it says."""

import asyncio
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import msgspec

from daehwa.conversation.archive_ports import ConversationArchive, ConversationRecord
from daehwa.conversation.export_file import Line
from daehwa.conversation.messages import Message
from daehwa.transfer.converting import Converted, Unconverted, converted
from daehwa.transfer.moving import Found, Moved, Nothing, Skipped, store_all
from daehwa.transfer.texts import Lost, one_line
from daehwa.transfer.times import AHEAD_MS

_line = msgspec.json.Decoder(Line)
_UNDECODABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


async def take_in(
    archive: ConversationArchive, texts: Iterable[bytes], *, owner: str, now: int, oldest: int | None, most: int
) -> Moved:
    """Store conversations for `owner` alone: those of other products, and lines of our own export. One that was last
    used before `oldest` (ms) is left out, since it would be deleted soon, and so is what comes after the first `most`:
    several may stand in one text. Raise `StoreError`.
    """
    moved = Moved(is_whole=True)
    some = _bounded(_read(texts, owner, now), most)
    # In a thread: others are answered meanwhile.
    found = await asyncio.to_thread(lambda: list(_found(some, oldest, moved.lost)))
    await store_all(archive, iter(found), moved, lambda _moved: None, lambda _owner: "somebody else")
    return moved


def _read(texts: Iterable[bytes], owner: str, now: int) -> Iterator[Converted | Unconverted]:
    for text in texts:
        own = _own(text, owner, now)
        yield from converted(text, owner=owner, now=now) if own is None else (own,)


def _bounded(read: Iterator[Converted | Unconverted], most: int) -> Iterator[Converted | Unconverted]:
    yield from islice(read, most)
    if next(read, None) is not None:
        yield Unconverted("", f"what comes after the first {most:,} conversations was not read: bring fewer at once")


def _found(some: Iterator[Converted | Unconverted], oldest: int | None, lost: Lost) -> Iterator[Found]:
    for each in some:
        if isinstance(each, Unconverted):
            yield Nothing() if each.is_empty else Skipped(each.title or None, each.reason)
            continue
        conversation = each.record.conversation
        if oldest is not None and conversation.updated < oldest:
            yield Skipped(conversation.title, "it was last used so long ago that it would be deleted here at once")
            continue
        lost.update(each.lost)
        yield conversation.title, each.record


def _own(text: bytes, owner: str, now: int) -> Converted | None:
    """Return what a line of our own export holds; None where it is none."""
    try:
        record = _line.decode(text).record
    except _UNDECODABLE:
        return None
    return Converted(_made_theirs(record, owner, now), Lost())


def _made_theirs(record: ConversationRecord, owner: str, now: int) -> ConversationRecord:
    """Return a record as its owner's, with no time that has not come yet: nothing of it stays for ever first."""
    latest = now + AHEAD_MS
    conversation = record.conversation
    return msgspec.structs.replace(
        record,
        conversation=msgspec.structs.replace(
            conversation,
            owner=owner,
            title=one_line(conversation.title) or "…",
            model=None if conversation.model is None else one_line(conversation.model),
            **_not_later(conversation, latest, "created", "updated"),
        ),
        messages=tuple(_message(message, latest) for message in record.messages),
        **_not_later(record, latest, "deleted"),
    )


def _message(message: Message, latest: int) -> Message:
    model = None if message.model is None else one_line(message.model)
    return msgspec.structs.replace(message, model=model, **_not_later(message, latest, "created", "heartbeat"))


def _not_later(value: msgspec.Struct, latest: int, *names: str) -> dict[str, Any]:
    times = {name: getattr(value, name) for name in names}
    return {name: time if time is None else min(time, latest) for name, time in times.items()}
