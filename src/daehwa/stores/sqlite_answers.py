"""Kept answers in the database file of the conversations."""
# ruff: noqa: D102 - what the methods do is written once, on the protocol

import sqlite3
from functools import partial
from typing import Literal

from daehwa.gateway.ports import KeptAnswer
from daehwa.stores.answers import CLAIM_MS, KEPT_MS, claimed, packed
from daehwa.stores.records import storable
from daehwa.stores.sqlite import SqliteStore


class SqliteAnswers:
    """An `AnswerStore` beside the conversations of a `SqliteStore`, which opens and closes the file.

    What is over goes when something is claimed.
    """

    def __init__(self, store: SqliteStore) -> None:
        self._writer = store.writer

    async def claim(
        self, caller: str, key: str, fingerprint: str, *, now: int
    ) -> KeptAnswer | Literal["new", "running"]:
        work = partial(_claim, caller=caller, key=storable(key), fingerprint=fingerprint, now=now)
        row = await self._writer.run(work)
        return "new" if row is None else claimed(row[0], fingerprint, row[1]) or "running"

    async def keep(self, caller: str, key: str, answer: KeptAnswer, *, now: int) -> None:
        text = await packed(answer)
        work = partial(_keep, caller=caller, key=storable(key), answer=text, expires=now + KEPT_MS)
        await self._writer.run(work)

    async def release(self, caller: str, key: str) -> None:
        await self._writer.run(partial(_release, caller=caller, key=storable(key)))

    async def forget(self, user: str) -> None:
        await self._writer.run(partial(_forget, user=user))

    async def release_leftovers(self) -> None:
        """Give back the claims of a server that is gone: nobody answers for them any more, and whoever sends the same
        again would wait for an answer. Only while no other server runs on this file.
        """
        await self._writer.run(_release_all)


def _claim(
    database: sqlite3.Connection, caller: str, key: str, fingerprint: str, now: int
) -> tuple[str, bytes | None] | None:
    """Return what was there before, None where nothing was."""
    database.execute("DELETE FROM kept_answers WHERE expires <= ?", (now,))
    row: tuple[str, bytes | None] | None = database.execute(
        "SELECT fingerprint, answer FROM kept_answers WHERE caller = ? AND key = ?", (caller, key)
    ).fetchone()
    if row is None:
        database.execute(
            "INSERT INTO kept_answers (caller, key, fingerprint, expires) VALUES (?, ?, ?, ?)",
            (caller, key, fingerprint, now + CLAIM_MS),
        )
    return row


def _keep(database: sqlite3.Connection, caller: str, key: str, answer: bytes, expires: int) -> None:
    database.execute(
        "UPDATE kept_answers SET answer = ?, expires = ? WHERE caller = ? AND key = ? AND answer IS NULL",
        (answer, expires, caller, key),
    )


def _release(database: sqlite3.Connection, caller: str, key: str) -> None:
    database.execute("DELETE FROM kept_answers WHERE caller = ? AND key = ? AND answer IS NULL", (caller, key))


def _release_all(database: sqlite3.Connection) -> None:
    database.execute("DELETE FROM kept_answers WHERE answer IS NULL")


def _forget(database: sqlite3.Connection, user: str) -> None:
    """Remove what callers were given who are this user, by whatever key."""
    by_key = f"{user}/"
    database.execute(
        "DELETE FROM kept_answers WHERE caller = ? OR substr(caller, 1, ?) = ?", (user, len(by_key), by_key)
    )
