"""The audit log in the database file of the conversations: one row an event, written by the one writing thread."""
# ruff: noqa: D102 - what the methods do is written once, on the protocol

import sqlite3
from collections.abc import AsyncIterator, Collection, Iterator
from functools import partial
from typing import Final

import msgspec

from daehwa.accounts.audit import FIRST_PREVIOUS, AuditCheck, AuditEvent, ChainWalk, NewEvent, chained, erased
from daehwa.stores.records import storable
from daehwa.stores.sqlite import SqliteStore

_READ_AT_ONCE: Final = 500
_SAME_ACT: Final = "FROM audit WHERE json_extract(value, '$.action') = ? AND json_extract(value, '$.subject') = ?"
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(AuditEvent)


class SqliteAudit:
    """An `AuditStore` beside the conversations of a `SqliteStore`, which opens and closes the file."""

    def __init__(self, store: SqliteStore) -> None:
        self._writer = store.writer
        self._reader = store.reader
        self._reports = store.reports

    async def append(self, new: NewEvent) -> AuditEvent:
        return await self._writer.run(partial(_append, new=storable(new)))

    async def append_once(self, new: NewEvent) -> bool:
        return await self._writer.run(partial(_append_once, new=storable(new)))

    async def page(self, *, before: int | None = None, limit: int = 50) -> tuple[AuditEvent, ...]:
        return await self._reader.run(partial(_page, before=before, limit=max(1, limit)))

    async def told(self, action: str, subject: str, *, limit: int) -> tuple[AuditEvent, ...]:
        return await self._reports.run(partial(_told, action=action, subject=subject, limit=limit))

    async def events(self) -> AsyncIterator[AuditEvent]:
        seen = 0
        while events := await self._reports.run(partial(_after, seq=seen)):
            for event in events:
                yield event
            seen = events[-1].seq

    async def check(self) -> AuditCheck:
        walk = ChainWalk()
        async for event in self.events():
            walk.see(event)
        return walk.result

    async def forget(self, user: str, words: Collection[str] = ()) -> None:
        seen = 0
        while events := await self._reports.run(partial(_after, seq=seen)):
            changed = [new for event in events if (new := erased(event, user, words)) != event]
            if changed:
                await self._writer.run(partial(_rewrite, events=changed))
            seen = events[-1].seq


def all_events(database: sqlite3.Connection) -> Iterator[AuditEvent]:
    """Yield all events of a file, the oldest first."""
    return (_decoder.decode(row[0]) for row in database.execute("SELECT value FROM audit ORDER BY seq"))


def _append(database: sqlite3.Connection, new: NewEvent) -> AuditEvent:
    row = database.execute("SELECT value FROM audit ORDER BY seq DESC LIMIT 1").fetchone()
    last = None if row is None else _decoder.decode(row[0])
    seq, previous = (1, FIRST_PREVIOUS) if last is None else (last.seq + 1, last.hash)
    event = chained(new, seq=seq, previous=previous)
    database.execute("INSERT INTO audit (seq, value) VALUES (?, ?)", (event.seq, _encoder.encode(event).decode()))
    return event


def _append_once(database: sqlite3.Connection, new: NewEvent) -> bool:
    if database.execute(f"SELECT 1 {_SAME_ACT}", (new.action, new.subject)).fetchone() is not None:
        return False
    _append(database, new)
    return True


def _page(database: sqlite3.Connection, before: int | None, limit: int) -> tuple[AuditEvent, ...]:
    rows = database.execute(
        "SELECT value FROM audit WHERE ?1 IS NULL OR seq < ?1 ORDER BY seq DESC LIMIT ?2", (before, limit)
    )
    return tuple(_decoder.decode(row[0]) for row in rows)


def _told(database: sqlite3.Connection, action: str, subject: str, limit: int) -> tuple[AuditEvent, ...]:
    rows = database.execute(f"SELECT value {_SAME_ACT} ORDER BY seq DESC LIMIT ?", (action, subject, limit))
    return tuple(_decoder.decode(row[0]) for row in rows)


def _after(database: sqlite3.Connection, seq: int) -> list[AuditEvent]:
    rows = database.execute("SELECT value FROM audit WHERE seq > ? ORDER BY seq LIMIT ?", (seq, _READ_AT_ONCE))
    return [_decoder.decode(row[0]) for row in rows]


def _rewrite(database: sqlite3.Connection, events: Collection[AuditEvent]) -> None:
    database.executemany(
        "UPDATE audit SET value = ? WHERE seq = ?", [(_encoder.encode(event).decode(), event.seq) for event in events]
    )
