"""Keys in the database file of the conversations.

A key is looked up at every request of a program, so it is remembered as long as nobody has written to the file but
this process's ledger, which is one question to SQLite. Else it is read where the request is, in a glance at a unique
index: what another process or thread wrote, a revocation above all, is seen by the next request.
"""
# ruff: noqa: D102 - what the methods do is written once, on the protocol
# ruff: noqa: S608 - what is put together are column names of ours

import sqlite3
from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec

from daehwa.accounts.errors import KeyNotFound
from daehwa.accounts.keys import ApiKey, KeyLimits
from daehwa.accounts.spending import counters_of_key
from daehwa.conversation.errors import IdTaken
from daehwa.stores.records import storable
from daehwa.stores.sqlite import SqliteStore

_NAMES = ("id", "user", "name", "prefix", "digest", "limits", "created", "expires", "last_used", "revoked")
_COLUMNS = ", ".join(_NAMES)
_MOST_REMEMBERED = 1000
_FIND = f"SELECT {_COLUMNS} FROM keys WHERE digest = ?"

_encoder = msgspec.json.Encoder()
_limits_decoder = msgspec.json.Decoder(KeyLimits)


class SqliteKeys:
    """A `KeyStore` beside the conversations of a `SqliteStore`, which opens and closes the file."""

    def __init__(self, store: SqliteStore) -> None:
        self._writer = store.writer
        self._reader = store.reader
        self._glance = store.glance
        self._jotter = store.jotter
        self._version: int | None = None
        self._remembered: dict[str, ApiKey] = {}

    async def add_key(self, key: ApiKey) -> None:
        await self._writer.run(partial(_add, key=storable(key)))

    async def find_key(self, digest: str) -> ApiKey | None:
        version = self._jotter.version()  # before the key is read: what is written meanwhile makes it another one
        if version is None or version != self._version or len(self._remembered) >= _MOST_REMEMBERED:
            self._version, self._remembered = version, {}
        found = self._remembered.get(digest)
        if found is None:
            found = await self._glance.run(partial(_find, digest=digest))
            if found is not None and version is not None and version == self._version:
                self._remembered[digest] = found
        return found

    async def list_keys(self, user: str | None = None) -> tuple[ApiKey, ...]:
        return await self._reader.run(partial(_list, user=user))

    async def revoke_key(self, key: str, *, user: str | None, now: int) -> ApiKey:
        return await self._writer.run(partial(_revoke, key=key, user=user, now=now))

    async def note_key_used(self, key: str, *, now: int) -> None:
        await self._writer.run(partial(_note_used, key=key, now=now))

    async def forget(self, user: str) -> None:
        await self._writer.run(partial(_forget, user=user))


def _key_of(row: Sequence[Any]) -> ApiKey:
    values = dict(zip(_NAMES, row, strict=True))
    values["limits"] = _limits_decoder.decode(values["limits"])
    return ApiKey(**values)


def _add(database: sqlite3.Connection, key: ApiKey) -> None:
    if database.execute("SELECT 1 FROM keys WHERE id = ? OR digest = ?", (key.id, key.digest)).fetchone():
        raise IdTaken("key")
    values = [getattr(key, name) for name in _NAMES]
    values[_NAMES.index("limits")] = _encoder.encode(key.limits).decode()
    database.execute(f"INSERT INTO keys ({_COLUMNS}) VALUES ({', '.join('?' * len(values))})", values)
    database.executemany(
        "INSERT OR IGNORE INTO counters (scope, period, counted) VALUES (?, ?, 0)",
        [(counter.scope, counter.period) for counter in counters_of_key(key)],
    )


def _find(database: sqlite3.Connection, digest: str) -> ApiKey | None:
    rows = database.execute(_FIND, (digest,)).fetchall()  # to the end, so that nothing holds the snapshot
    return _key_of(rows[0]) if rows else None


def _list(database: sqlite3.Connection, user: str | None) -> tuple[ApiKey, ...]:
    where, given = ("", ()) if user is None else (" WHERE user = ?", (user,))
    rows = database.execute(f"SELECT {_COLUMNS} FROM keys{where} ORDER BY created DESC, id DESC", given)
    return tuple(map(_key_of, rows))


def _revoke(database: sqlite3.Connection, key: str, user: str | None, now: int) -> ApiKey:
    row = database.execute(f"SELECT {_COLUMNS} FROM keys WHERE id = ?", (key,)).fetchone()
    if row is None or (user is not None and row[1] != user):
        raise KeyNotFound
    found = _key_of(row)
    if found.revoked is not None:
        return found
    database.execute("UPDATE keys SET revoked = ? WHERE id = ?", (now, key))
    return msgspec.structs.replace(found, revoked=now)


def _note_used(database: sqlite3.Connection, key: str, now: int) -> None:
    database.execute("UPDATE keys SET last_used = ? WHERE id = ?", (now, key))


def _forget(database: sqlite3.Connection, user: str) -> None:
    database.execute("DELETE FROM keys WHERE user = ?", (user,))
