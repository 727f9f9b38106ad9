"""Accounts in the database file of the conversations: the same writing thread, the same promise of what is on disk."""
# ruff: noqa: D102 - what the methods do is written once, on the protocol
# ruff: noqa: S608 - what is put together are column names of ours

import sqlite3
from collections.abc import Collection, Sequence
from functools import partial
from typing import Any

from daehwa.accounts.people import Profile, Role, Session, SignInAttempt, User
from daehwa.conversation.ids import new_id
from daehwa.stores.records import storable
from daehwa.stores.sqlite import SqliteStore
from daehwa.stores.unbuilt import LocalAccountsUnbuilt

_USER = "u.id, u.issuer, u.subject, u.email, u.name, u.role, u.created, u.last_seen"
_SESSION = "s.id, s.user, s.created, s.expires, s.id_token"
_EXPIRING = ("sessions", "sign_in_attempts")


class SqliteAccounts(LocalAccountsUnbuilt):
    """An `AccountStore` beside the conversations of a `SqliteStore`, which opens and closes the file.

    `first_admin` is the id of the first admin who signs in, where it is given: who owned everything before there was
    anybody to sign in then goes on owning it.
    """

    def __init__(self, store: SqliteStore, *, first_admin: str | None = None) -> None:
        self._writer = store.writer
        self._reader = store.reader
        self._first_admin = first_admin

    async def sign_in(
        self,
        profile: Profile,
        *,
        role: Role | None,
        now: int,
        joins: Collection[str] = (),  # noqa: ARG002
        leaves: Collection[str] = (),  # noqa: ARG002
    ) -> User:
        first = self._first_admin if role == "admin" else None
        return await self._writer.run(partial(_sign_in, profile=storable(profile), role=role, now=now, first=first))

    async def get_user(self, user: str) -> User | None:
        return await self._reader.run(partial(_get_user, user=user))

    async def list_users(self) -> tuple[User, ...]:
        return await self._reader.run(_list_users)

    async def save_session(self, session: Session) -> None:
        await self._writer.run(partial(_save, table="sessions", value=session))

    async def get_session(self, session: str, *, now: int) -> tuple[Session, User] | None:
        return await self._reader.run(partial(_get_session, session=session, now=now))

    async def delete_session(self, session: str) -> None:
        await self._writer.run(partial(_delete_session, session=session))

    async def save_attempt(self, attempt: SignInAttempt) -> None:
        await self._writer.run(partial(_save, table="sign_in_attempts", value=attempt))

    async def take_attempt(self, attempt: str, *, now: int) -> SignInAttempt | None:
        return await self._writer.run(partial(_take_attempt, attempt=attempt, now=now))

    async def purge_expired(self, *, now: int) -> int:
        return await self._writer.run(partial(_purge_expired, now=now))


def _user_of(row: Sequence[Any]) -> User:
    return User(
        id=row[0],
        issuer=row[1],
        subject=row[2],
        email=row[3],
        name=row[4],
        role=row[5],
        created=row[6],
        last_seen=row[7],
    )


def _sign_in(database: sqlite3.Connection, profile: Profile, role: Role | None, now: int, first: str | None) -> User:
    person = (profile.issuer, profile.subject)
    new = new_id() if first is None or _get_user(database, first) is not None else first
    database.execute(
        "INSERT INTO users (id, issuer, subject, email, name, role, created, last_seen) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (issuer, subject) DO UPDATE SET "
        "email = excluded.email, name = excluded.name, role = coalesce(?, role), last_seen = excluded.last_seen",
        (new, *person, profile.email, profile.name, role or "member", now, now, role),
    )
    row = database.execute(f"SELECT {_USER} FROM users u WHERE issuer = ? AND subject = ?", person).fetchone()
    return _user_of(row)


def _get_user(database: sqlite3.Connection, user: str) -> User | None:
    row = database.execute(f"SELECT {_USER} FROM users u WHERE u.id = ?", (user,)).fetchone()
    return None if row is None else _user_of(row)


def _list_users(database: sqlite3.Connection) -> tuple[User, ...]:
    rows = database.execute(f"SELECT {_USER} FROM users u ORDER BY u.created, u.id")
    return tuple(map(_user_of, rows))


def _save(database: sqlite3.Connection, table: str, value: Session | SignInAttempt) -> None:
    """Keep a value whose fields are the table's columns."""
    columns = {row[1] for row in database.execute(f"PRAGMA table_info({table})")}
    names = [name for name in value.__struct_fields__ if name in columns]
    marks = ", ".join("?" * len(names))
    database.execute(
        f"INSERT OR REPLACE INTO {table} ({', '.join(names)}) VALUES ({marks})",
        [getattr(value, name) for name in names],
    )


def _get_session(database: sqlite3.Connection, session: str, now: int) -> tuple[Session, User] | None:
    row = database.execute(
        f"SELECT {_SESSION}, {_USER} FROM sessions s JOIN users u ON u.id = s.user WHERE s.id = ? AND s.expires > ?",
        (session, now),
    ).fetchone()
    if row is None:
        return None
    found = Session(id=row[0], user=row[1], created=row[2], expires=row[3], id_token=row[4])
    return found, _user_of(row[5:])


def _delete_session(database: sqlite3.Connection, session: str) -> None:
    database.execute("DELETE FROM sessions WHERE id = ?", (session,))


def _take_attempt(database: sqlite3.Connection, attempt: str, now: int) -> SignInAttempt | None:
    row = database.execute(
        "SELECT id, browser, nonce, verifier, return_to, expires FROM sign_in_attempts WHERE id = ?", (attempt,)
    ).fetchone()
    if row is None:
        return None
    database.execute("DELETE FROM sign_in_attempts WHERE id = ?", (attempt,))
    taken = SignInAttempt(id=row[0], browser=row[1], nonce=row[2], verifier=row[3], return_to=row[4], expires=row[5])
    return taken if taken.expires > now else None


def _purge_expired(database: sqlite3.Connection, now: int) -> int:
    gone = (database.execute(f"DELETE FROM {table} WHERE expires <= ?", (now,)) for table in _EXPIRING)
    return sum(cursor.rowcount for cursor in gone)
