"""Conversations in one SQLite file: one thread writes, two read, and none of it happens on the event loop."""
# ruff: noqa: D102 - what the methods do is written once, on the protocol

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack, nullcontext, suppress
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Self, TypeVar

from daehwa.conversation.archive import unless_left_out
from daehwa.conversation.archive_ports import ConversationRecord, Imported
from daehwa.conversation.errors import StoreError
from daehwa.conversation.images import Image
from daehwa.conversation.messages import Conversation, Message, TitleSource, Usage
from daehwa.conversation.ports import BegunTurn, Checkpoint, ConversationChanges, ConversationPage, NewTurn, SearchHit
from daehwa.conversation.stretch import Stretch, StretchWish
from daehwa.stores import sqlite_archive, sqlite_images, sqlite_index, sqlite_search, sqlite_stretch, sqlite_turns
from daehwa.stores import sqlite_conversations as conversations
from daehwa.stores.ordering import decode_cursor
from daehwa.stores.search_text import Query
from daehwa.stores.sqlite_connection import (
    check_sqlite,
    open_file,
    open_glance,
    open_jotter,
    open_reader,
    prepare_to_write,
    truncate_log,
    write_anew,
)
from daehwa.stores.sqlite_jotter import SqliteJotter
from daehwa.stores.sqlite_migrations import Holding, migrate
from daehwa.stores.sqlite_reader import SqliteGlance, SqliteReader
from daehwa.stores.sqlite_rows import owned_message
from daehwa.stores.sqlite_writer import SqliteWriter

T = TypeVar("T")

_INDEXING_SECONDS = 1.0
"""So long a search waits for what is still to be indexed."""
_TRUNCATIONS_TRIED = 50
_TRUNCATION_PAUSE_S = 0.02
_QUICKLY_WRITTEN_BYTES = 32_000_000
"""A file up to this size is written anew after every purge, a larger one once a day."""
_DAY_SECONDS = 24 * 60 * 60


class SqliteStore:
    """A `ConversationStore` and `ConversationArchive` in one file. Made by `await SqliteStore.open(path)`."""

    def __init__(self, path: Path, holding: Holding = nullcontext) -> None:
        self.path = path
        self._holding = holding
        self._written_anew = monotonic()
        self._has_old_titles = False
        self.backup: Path | None = None
        """The copy that was made because this opening migrated the file."""
        self._writer = SqliteWriter(path, self._open_and_migrate)
        self._reader = SqliteReader(path, partial(open_reader, path), "sqlite-reader")
        self._searcher = SqliteReader(path, partial(open_reader, path), "sqlite-search")
        self.reports = SqliteReader(path, partial(open_reader, path), "sqlite-reports")
        """A thread that reads much, for reports: nobody who opens a conversation waits for them."""
        self.glance = SqliteGlance(partial(open_glance, path), self._reader)
        """Reads a row by its key without a thread."""
        self.jotter = SqliteJotter(path, partial(open_jotter, path), self._writer)
        """Writes a row or two without a thread."""

    @classmethod
    async def open(cls, path: Path, *, holding: Holding = nullcontext) -> Self:
        """Open a file, making it where needed, or migrating it within `holding`. Raise `StoreError` when that cannot
        be.
        """
        store = cls(path, holding)
        await store._writer.start()
        return store

    @property
    def writer(self) -> SqliteWriter:
        """The one thread that writes to the file, for what else is kept in it."""
        return self._writer

    @property
    def reader(self) -> SqliteReader:
        """A thread that reads from the file, likewise."""
        return self._reader

    def _open_and_migrate(self) -> sqlite3.Connection:
        check_sqlite()
        with ExitStack() as undo:
            connection = open_file(self.path)
            undo.callback(connection.close)
            self.backup = migrate(connection, self.path, holding=self._holding)
            prepare_to_write(connection, self.path)
            undo.pop_all()
        return connection

    async def begin_turn(self, turn: NewTurn) -> BegunTurn:
        return await self._writer.run(partial(sqlite_turns.begin_turn, turn=turn))

    async def save_checkpoints(self, checkpoints: Sequence[Checkpoint]) -> frozenset[str]:
        if not checkpoints:
            return frozenset()
        return await self._writer.run(partial(sqlite_turns.save_checkpoints, checkpoints=checkpoints))

    async def finish_reply(self, reply: Message) -> None:
        await self._writer.run(partial(sqlite_turns.finish_reply, reply=reply))

    async def request_stop(self, owner: str, reply: str) -> Message:
        return await self._writer.run(partial(sqlite_turns.request_stop, owner=owner, reply=reply))

    async def interrupt_replies(
        self,
        *,
        heartbeat_before: int,
        heartbeat_after: int | None = None,
        runner: str | None = None,
        conversation: str | None = None,
    ) -> int:
        work = partial(
            sqlite_turns.interrupt_replies,
            alive=(heartbeat_before, heartbeat_after),
            runner=runner,
            conversation=conversation,
        )
        return await self._writer.run(work)

    async def get_image(self, owner: str, conversation: str, image: str) -> Image:
        work = partial(sqlite_images.get_image, owner=owner, conversation=conversation, image=image)
        return await self._reader.run(work)

    async def get_message(self, owner: str, message: str) -> Message:
        return await self._reader.run(partial(owned_message, owner=owner, message=message, param="message"))

    async def get_conversation(self, owner: str, conversation: str) -> tuple[Conversation, tuple[Message, ...]]:
        return await self._reader.run(partial(conversations.get_conversation, owner=owner, conversation=conversation))

    async def read_stretch(self, owner: str, conversation: str, wish: StretchWish) -> Stretch:
        work = partial(sqlite_stretch.read_stretch, owner=owner, conversation=conversation, wish=wish)
        return await self._reader.run(work)

    async def title_usage(self, owner: str, conversation: str) -> Usage | None:
        return await self._reader.run(partial(conversations.title_usage, owner=owner, conversation=conversation))

    async def list_conversations(
        self, owner: str, *, archived: bool = False, after: str | None = None, limit: int = 50
    ) -> ConversationPage:
        start = None if after is None else decode_cursor(after)
        return await self._reader.run(
            partial(conversations.list_conversations, owner=owner, archived=archived, start=start, limit=max(1, limit))
        )

    async def search_conversations(self, owner: str, query: str, *, limit: int = 30) -> tuple[SearchHit, ...]:
        words = Query(query)
        if words.is_empty:
            return ()
        search = partial(sqlite_search.search, owner=owner, query=words, limit=max(1, limit))
        found = await self._searcher.run(partial(search, waits=True))
        if found is None:
            # On a full disk, or behind a long import, what was indexed before is found all the same.
            with suppress(StoreError, TimeoutError):
                async with asyncio.timeout(_INDEXING_SECONDS):
                    await self._writer.run(sqlite_index.index_waiting)
            found = await self._searcher.run(partial(search, waits=False))
        return found or ()

    async def change_conversation(self, owner: str, conversation: str, changes: ConversationChanges) -> Conversation:
        changed = await self._writer.run(
            partial(conversations.change_conversation, owner=owner, conversation=conversation, changes=changes)
        )
        self._has_old_titles |= changes.title is not None
        return changed

    async def set_title(self, conversation: str, title: str, source: TitleSource, usage: Usage | None) -> bool:
        return await self._writer.run(
            partial(conversations.set_title, conversation=conversation, title=title, source=source, usage=usage)
        )

    async def delete_conversation(self, owner: str, conversation: str) -> None:
        await self._writer.run(partial(conversations.delete_conversation, owner=owner, conversation=conversation))

    async def restore_conversation(self, owner: str, conversation: str) -> Conversation:
        return await self._writer.run(
            partial(conversations.restore_conversation, owner=owner, conversation=conversation)
        )

    async def purge_deleted(self, *, before: int, limit: int | None = None) -> int:
        """In small pieces, between which others write; at its end no copy of the text is left in the files, nor of
        titles that people have changed since this process began. Only in a file that is large (32 MB), single words may
        be left in unused corners of it for up to a day: see `write_anew`.
        """
        return await self._purge(await self._writer.run(partial(conversations.begin_purge, before=before, limit=limit)))

    async def purge_untouched(self, *, before: int, limit: int | None = None) -> int:
        """In small pieces, likewise."""
        return await self._purge(
            await self._writer.run(partial(conversations.begin_purge_untouched, before=before, limit=limit))
        )

    async def forget(self, user: str) -> None:
        """In small pieces, likewise."""
        await self._purge(await self._writer.run(partial(conversations.begin_purge_of_owner, owner=user)))

    async def export_conversations(
        self, owner: str | None = None, *, left_out: Callable[[str], None] | None = None
    ) -> AsyncIterator[ConversationRecord]:
        for number in await self._reader.run(partial(sqlite_archive.list_numbers, owner=owner)):
            reading = self._reader.run(partial(sqlite_archive.export_conversation, number=number))
            if (record := await unless_left_out(reading, left_out)) is not None:
                yield record

    async def import_conversation(self, record: ConversationRecord) -> Imported:
        return await self._writer.run(partial(sqlite_archive.import_conversation, record=record))

    def is_misplaced(self) -> bool:
        """Whether a write has found the file or its log gone, or another one in its place."""
        return self._writer.is_misplaced

    async def aclose(self) -> None:
        await self._reader.aclose()
        await self._searcher.aclose()
        await self.reports.aclose()
        self.glance.close()
        await self.jotter.aclose()
        await self._writer.aclose()

    async def write_anew(self) -> None:
        """Write the file anew, so that nothing is left of what was removed. Others wait for it: some seconds where
        the file has hundreds of megabytes.
        """
        self._written_anew = monotonic()
        await self._writer.run(write_anew, in_transaction=False)
        await self.leave_no_copy()

    async def leave_no_copy(self) -> None:
        """Empty the write-ahead log, so that nothing removed is in a file; while somebody reads, try again."""
        for _ in range(_TRUNCATIONS_TRIED):
            if await self._writer.run(truncate_log, in_transaction=False):
                return
            await asyncio.sleep(_TRUNCATION_PAUSE_S)

    async def _purge(self, chosen: Sequence[int]) -> int:
        for conversation in chosen:
            await self._until_done(partial(conversations.purge_some, conversation=conversation))
        if chosen or self._has_old_titles:
            await self._forget(sqlite_index.INDEXES if chosen else sqlite_index.TITLE_INDEX)
        return len(chosen)

    async def _forget(self, indexes: Sequence[str]) -> None:
        """Leave no words of what was taken out of these indexes."""
        self._has_old_titles = False
        await self._writer.run(partial(sqlite_index.begin_forgetting, indexes=indexes))
        await self._until_done(partial(sqlite_index.forget_some, indexes=indexes))
        is_quick = self.path.stat().st_size <= _QUICKLY_WRITTEN_BYTES
        if is_quick or monotonic() - self._written_anew >= _DAY_SECONDS:
            await self.write_anew()
        else:
            await self.leave_no_copy()

    async def _until_done(self, work: Callable[[sqlite3.Connection], bool]) -> None:
        while not await self._writer.run(work):
            pass
