"""Credentials in the database file of the conversations. `SqliteAccounts.forget` removes them with the person."""
# ruff: noqa: D102 - what the methods do is written once, on the protocol
# ruff: noqa: S608 - what is put together are column names of ours

import sqlite3
from collections.abc import Collection
from functools import partial
from typing import Final

from daehwa.accounts.credentials import Credentials, Passkey, Password, Totp
from daehwa.accounts.people_changes import counts_up
from daehwa.conversation.errors import IdTaken
from daehwa.stores.records import storable
from daehwa.stores.sqlite import SqliteStore
from daehwa.stores.sqlite_values import columns, put, value_of

_PASSKEYS: Final = f"SELECT {columns(Passkey)} FROM passkeys"


class SqliteCredentials:
    """A `CredentialStore` beside the conversations of a `SqliteStore`, for people of its `SqliteAccounts`."""

    def __init__(self, store: SqliteStore) -> None:
        self._writer = store.writer
        self._reader = store.reader

    async def get_credentials(self, user: str) -> Credentials:
        return await self._reader.run(partial(_get, user=user))

    async def set_password(self, password: Password) -> None:
        await self._writer.run(partial(put, table="passwords", value=password))

    async def save_totp(self, totp: Totp) -> None:
        await self._writer.run(partial(put, table="totps", value=totp))

    async def use_totp_step(self, user: str, step: int, *, confirmed: int | None = None) -> bool:
        return await self._writer.run(partial(_use_step, user=user, step=step, confirmed=confirmed))

    async def delete_totp(self, user: str) -> None:
        await self._writer.run(partial(_delete_totp, user=user))

    async def set_recovery_codes(self, user: str, codes: Collection[str]) -> None:
        await self._writer.run(partial(_set_codes, user=user, codes=frozenset(codes)))

    async def use_recovery_code(self, user: str, code: str) -> bool:
        return await self._writer.run(partial(_use_code, user=user, code=code))

    async def add_passkey(self, passkey: Passkey) -> None:
        await self._writer.run(partial(_add_passkey, passkey=storable(passkey)))

    async def find_passkey(self, passkey: str) -> Passkey | None:
        return await self._reader.run(partial(_find_passkey, passkey=passkey))

    async def note_passkey_used(self, passkey: str, *, sign_count: int, now: int) -> bool:
        return await self._writer.run(partial(_note_used, passkey=passkey, sign_count=sign_count, now=now))

    async def delete_passkey(self, user: str, passkey: str) -> bool:
        return await self._writer.run(partial(_delete_passkey, user=user, passkey=passkey))


def _get(database: sqlite3.Connection, user: str) -> Credentials:
    password = database.execute(f"SELECT {columns(Password)} FROM passwords WHERE user = ?", (user,)).fetchone()
    totp = database.execute(f"SELECT {columns(Totp)} FROM totps WHERE user = ?", (user,)).fetchone()
    (codes,) = database.execute("SELECT count(*) FROM recovery_codes WHERE user = ?", (user,)).fetchone()
    passkeys = database.execute(f"{_PASSKEYS} WHERE user = ? ORDER BY created, id", (user,))
    return Credentials(
        password=None if password is None else value_of(Password, password),
        totp=None if totp is None else value_of(Totp, totp),
        recovery_codes=codes,
        passkeys=tuple(value_of(Passkey, row) for row in passkeys),
    )


def _use_step(database: sqlite3.Connection, user: str, step: int, confirmed: int | None) -> bool:
    used = database.execute(
        "UPDATE totps SET last_step = ?, confirmed = coalesce(confirmed, ?) WHERE user = ? AND last_step < ?",
        (step, confirmed, user, step),
    )
    return used.rowcount > 0


def _delete_totp(database: sqlite3.Connection, user: str) -> None:
    for table in ("totps", "recovery_codes"):
        database.execute(f"DELETE FROM {table} WHERE user = ?", (user,))


def _set_codes(database: sqlite3.Connection, user: str, codes: Collection[str]) -> None:
    database.execute("DELETE FROM recovery_codes WHERE user = ?", (user,))
    database.executemany("INSERT INTO recovery_codes (user, code) VALUES (?, ?)", [(user, code) for code in codes])


def _use_code(database: sqlite3.Connection, user: str, code: str) -> bool:
    return database.execute("DELETE FROM recovery_codes WHERE user = ? AND code = ?", (user, code)).rowcount > 0


def _add_passkey(database: sqlite3.Connection, passkey: Passkey) -> None:
    if _find_passkey(database, passkey.id) is not None:
        raise IdTaken("passkey")
    put(database, "passkeys", passkey)


def _find_passkey(database: sqlite3.Connection, passkey: str) -> Passkey | None:
    row = database.execute(f"{_PASSKEYS} WHERE id = ?", (passkey,)).fetchone()
    return None if row is None else value_of(Passkey, row)


def _note_used(database: sqlite3.Connection, passkey: str, sign_count: int, now: int) -> bool:
    known = _find_passkey(database, passkey)
    if known is None or not counts_up(known.sign_count, sign_count):
        return False
    database.execute("UPDATE passkeys SET sign_count = ?, last_used = ? WHERE id = ?", (sign_count, now, passkey))
    return True


def _delete_passkey(database: sqlite3.Connection, user: str, passkey: str) -> bool:
    return database.execute("DELETE FROM passkeys WHERE id = ? AND user = ?", (passkey, user)).rowcount > 0
