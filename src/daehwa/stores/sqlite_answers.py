"""Kept answers in the database file of the conversations."""
# ruff: noqa: D102 - what the methods do is written once, on the protocol
# ruff: noqa: S608 - what is put together is a condition of ours

import sqlite3
from functools import partial
from typing import Final, Literal

from daehwa.gateway.ports import KeptAnswer
from daehwa.stores.answers import CLAIM_MS, KEPT_MS, claimed, packed
from daehwa.stores.records import storable
from daehwa.stores.sqlite import SqliteStore

_IS_CLAIM: Final = "caller = ? AND key = ? AND answer IS NULL AND expires = ?"
"""When a claim is over tells it from another one: a later one begins only then."""


class SqliteAnswers:
    """An `AnswerStore` beside the conversations of a `SqliteStore`, which opens and closes the file.

    What is over goes when something is claimed, a claim without an answer a day later: its answer may still come.
    """

    def __init__(self, store: SqliteStore) -> None:
        self._writer = store.writer

    async def claim(
        self, caller: str, key: str, fingerprint: str, *, now: int
    ) -> KeptAnswer | Literal["new", "running"]:
        work = partial(_claim, caller=caller, key=storable(key), fingerprint=fingerprint, now=now)
        row = await self._writer.run(work)
        return "new" if row is None else claimed(row[0], fingerprint, row[1]) or "running"

    async def keep(self, caller: str, key: str, answer: KeptAnswer, *, began: int, now: int) -> None:
        text = await packed(answer)
        work = partial(_keep, caller=caller, key=storable(key), began=began, answer=text, expires=now + KEPT_MS)
        await self._writer.run(work)

    async def release(self, caller: str, key: str, *, began: int) -> None:
        await self._writer.run(partial(_release, caller=caller, key=storable(key), began=began))

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
    """Return what was there before, None where nothing was, or a claim that is over."""
    database.execute(
        "DELETE FROM kept_answers WHERE expires <= ? AND (answer IS NOT NULL OR expires <= ?)", (now, now - KEPT_MS)
    )
    row: tuple[str, bytes | None] | None = database.execute(
        "SELECT fingerprint, answer FROM kept_answers WHERE caller = ? AND key = ? AND expires > ?", (caller, key, now)
    ).fetchone()
    if row is None:
        database.execute(
            "REPLACE INTO kept_answers (caller, key, fingerprint, expires) VALUES (?, ?, ?, ?)",
            (caller, key, fingerprint, now + CLAIM_MS),
        )
    return row


def _keep(database: sqlite3.Connection, caller: str, key: str, began: int, answer: bytes, expires: int) -> None:
    database.execute(
        f"UPDATE kept_answers SET answer = ?, expires = ? WHERE {_IS_CLAIM}",
        (answer, expires, caller, key, began + CLAIM_MS),
    )


def _release(database: sqlite3.Connection, caller: str, key: str, began: int) -> None:
    database.execute(f"DELETE FROM kept_answers WHERE {_IS_CLAIM}", (caller, key, began + CLAIM_MS))


def _release_all(database: sqlite3.Connection) -> None:
    database.execute("DELETE FROM kept_answers WHERE answer IS NULL")


def _forget(database: sqlite3.Connection, user: str) -> None:
    """Remove what callers were given who are this user, by whatever key."""
    by_key = f"{user}/"
    database.execute(
        "DELETE FROM kept_answers WHERE caller = ? OR substr(caller, 1, ?) = ?", (user, len(by_key), by_key)
    )
