"""Accounts in the database file of the conversations: the same writing thread, the same promise of what is on disk."""
# ruff: noqa: D102 - what the methods do is written once, on the protocol
# ruff: noqa: S608 - what is put together are column names of ours

import sqlite3
from collections.abc import Collection
from functools import partial
from typing import Final

import msgspec

from daehwa.accounts.errors import AccountDisabled, LastAdmin, LoginTaken, UserNotFound
from daehwa.accounts.people import (
    LOCAL_ISSUER,
    NewUser,
    Profile,
    Role,
    Session,
    SignInAttempt,
    User,
    UserChanges,
    folded_login,
)
from daehwa.accounts.people_changes import changed_person, loses_admin, moved
from daehwa.conversation.ids import new_id
from daehwa.stores import sqlite_sign_ins as sign_ins
from daehwa.stores.records import storable
from daehwa.stores.sqlite import SqliteStore
from daehwa.stores.sqlite_values import columns, put, rewrite, value_of

_USERS: Final = f"SELECT {columns(User)} FROM users"
_ENABLED_ADMINS: Final = "SELECT 1 FROM users WHERE id <> ? AND role = 'admin' AND disabled IS NULL"
_HOLDING_CREDENTIALS: Final = ("passkeys", "recovery_codes", "totps", "passwords", "sessions")


class SqliteAccounts:
    """An `AccountStore` beside the conversations of a `SqliteStore`, which opens and closes the file.

    `first_admin` is the id of the first admin, where it is given: who owned everything before there was anybody to sign
    in then goes on owning it.
    """

    def __init__(self, store: SqliteStore, *, first_admin: str | None = None) -> None:
        self._store = store
        self._writer = store.writer
        self._reader = store.reader
        self._glance = store.glance
        self._first_admin = first_admin

    async def sign_in(
        self,
        profile: Profile,
        *,
        role: Role | None,
        now: int,
        joins: Collection[str] = (),
        leaves: Collection[str] = (),
    ) -> User:
        arrived = User(
            id=self._wanted_id(role) or "",
            issuer=profile.issuer,
            subject=profile.subject,
            email=profile.email,
            name=profile.name,
            role=role or "member",
            claimed=profile.claimed,
            created=now,
            last_seen=now,
        )
        work = partial(_sign_in, arrived=storable(arrived), role=role, joins=tuple(joins), leaves=tuple(leaves))
        return await self._writer.run(work)

    async def add_user(self, new: NewUser, *, now: int) -> User:
        user = User(
            id=self._wanted_id(new.role) or "",
            issuer=LOCAL_ISSUER,
            subject=folded_login(storable(new.login)),
            email=new.email,
            name=new.name,
            role=new.role,
            groups=new.groups,
            created=now,
        )
        return await self._writer.run(partial(_add_user, user=storable(user)))

    async def find_user(self, login: str) -> User | None:
        return await self._reader.run(partial(_find_user, login=folded_login(storable(login))))

    async def get_user(self, user: str) -> User | None:
        return await self._glance.run(partial(_get_user, user=user))

    async def find_by_subject(self, issuer: str, subject: str) -> User | None:
        return await self._reader.run(partial(_of_issuer, issuer=issuer, subject=storable(subject)))

    async def list_users(self) -> tuple[User, ...]:
        return await self._reader.run(_list_users)

    async def change_user(self, user: str, changes: UserChanges) -> User:
        return await self._writer.run(partial(_change_user, user=user, changes=changes))

    async def note_seen(self, user: str, *, now: int) -> None:
        await self._writer.run(partial(_note_seen, user=user, now=now))

    async def save_session(self, session: Session) -> None:
        await self._writer.run(partial(sign_ins.save_session, session=storable(session)))

    async def get_session(self, session: str, *, now: int) -> tuple[Session, User] | None:
        return await self._reader.run(partial(sign_ins.get_session, session=session, now=now))

    async def list_sessions(self, user: str, *, now: int) -> tuple[Session, ...]:
        return await self._reader.run(partial(sign_ins.list_sessions, user=user, now=now))

    async def touch_session(self, session: Session, *, now: int, address: str | None) -> None:
        if sign_ins.is_to_be_touched(session, now):
            await self._writer.run(
                partial(sign_ins.touch_session, session=session.id, now=now, address=storable(address))
            )

    async def delete_session(self, session: str) -> None:
        await self._writer.run(partial(sign_ins.delete_session, session=session))

    async def delete_sessions(self, user: str, *, but: str | None = None) -> int:
        return await self._writer.run(partial(sign_ins.delete_sessions, user=user, but=but))

    async def save_attempt(self, attempt: SignInAttempt) -> None:
        await self._writer.run(partial(put, table="sign_in_attempts", value=attempt))

    async def take_attempt(self, attempt: str, *, now: int) -> SignInAttempt | None:
        return await self._writer.run(partial(sign_ins.take_attempt, attempt=attempt, now=now))

    async def purge_expired(self, *, now: int) -> int:
        return await self._writer.run(partial(sign_ins.purge_expired, now=now))

    async def empty_user(self, user: str) -> None:
        """Write the file anew while the row is there still, which says nothing of them any more: what breaks off is
        begun again.
        """
        await self._writer.run(partial(_empty, user=user))
        await self._store.write_anew()

    async def remove_user(self, user: str) -> None:
        await self._writer.run(partial(_remove, user=user, is_spent=user == self._first_admin))

    async def list_removed(self, *, before: int) -> tuple[str, ...]:  # noqa: ARG002 - one process serves all
        return ()

    async def drop_removed(self, user: str) -> None:
        pass

    def _wanted_id(self, role: Role | None) -> str | None:
        """Return the id that an admin is given where nobody has it or had it."""
        return self._first_admin if role == "admin" else None


def _id(database: sqlite3.Connection, wanted: str | None) -> str:
    """Return the id of somebody new: what is told of who was deleted must not become theirs."""
    if wanted is None or _get_user(database, wanted) is not None:
        return new_id()
    is_spent = database.execute("SELECT 1 FROM spent_ids WHERE id = ?", (wanted,)).fetchone() is not None
    return new_id() if is_spent else wanted


def _sign_in(
    database: sqlite3.Connection,
    arrived: User,
    role: Role | None,
    joins: Collection[str],
    leaves: Collection[str],
) -> User:
    known = _of_issuer(database, arrived.issuer, arrived.subject)
    if known is None:
        user = msgspec.structs.replace(arrived, id=_id(database, arrived.id or None), groups=moved((), joins, leaves))
        put(database, "users", user)
        return user
    if known.disabled is not None:
        raise AccountDisabled
    user = msgspec.structs.replace(
        known,
        email=arrived.email,
        name=arrived.name,
        role=role or known.role,
        groups=moved(known.groups, joins, leaves),
        claimed=arrived.claimed,
        last_seen=arrived.last_seen,
    )
    rewrite(database, "users", user)
    return user


def _add_user(database: sqlite3.Connection, user: User) -> User:
    if _of_issuer(database, user.issuer, user.subject) is not None:
        raise LoginTaken
    user = msgspec.structs.replace(user, id=_id(database, user.id or None))
    put(database, "users", user)
    return user


def _of_issuer(database: sqlite3.Connection, issuer: str, subject: str) -> User | None:
    row = database.execute(f"{_USERS} WHERE issuer = ? AND subject = ?", (issuer, subject)).fetchone()
    return None if row is None else value_of(User, row)


def _find_user(database: sqlite3.Connection, login: str) -> User | None:
    # Both are looked for, also where the first is there: how long it takes must not tell whether it is.
    named = _of_issuer(database, LOCAL_ISSUER, login)
    rows = database.execute("SELECT id, email FROM users WHERE issuer = ? AND email IS NOT NULL", (LOCAL_ISSUER,))
    found = [user for user, email in rows if folded_login(email) == login]
    return named or (_get_user(database, found[0]) if len(found) == 1 else None)


def _get_user(database: sqlite3.Connection, user: str) -> User | None:
    rows = database.execute(f"{_USERS} WHERE id = ?", (user,)).fetchall()
    return value_of(User, rows[0]) if rows else None


def _list_users(database: sqlite3.Connection) -> tuple[User, ...]:
    return tuple(value_of(User, row) for row in database.execute(f"{_USERS} ORDER BY created, id"))


def _change_user(database: sqlite3.Connection, user: str, changes: UserChanges) -> User:
    known = _get_user(database, user)
    if known is None:
        raise UserNotFound
    changed = storable(changed_person(known, changes))
    if loses_admin(known, changed) and database.execute(_ENABLED_ADMINS, (user,)).fetchone() is None:
        raise LastAdmin
    rewrite(database, "users", changed)
    if changed.disabled is not None:
        sign_ins.delete_sessions(database, user, None)
    return changed


def _note_seen(database: sqlite3.Connection, user: str, now: int) -> None:
    database.execute("UPDATE users SET last_seen = ? WHERE id = ?", (now, user))


def _empty(database: sqlite3.Connection, user: str) -> None:
    for table in _HOLDING_CREDENTIALS:
        database.execute(f"DELETE FROM {table} WHERE user = ?", (user,))
    database.execute(
        "UPDATE users SET issuer = '', subject = id, email = NULL, name = '', groups = '[]', claimed = '[]' "
        "WHERE id = ?",
        (user,),
    )


def _remove(database: sqlite3.Connection, user: str, *, is_spent: bool) -> None:
    if database.execute("DELETE FROM users WHERE id = ?", (user,)).rowcount and is_spent:
        database.execute("INSERT OR IGNORE INTO spent_ids (id) VALUES (?)", (user,))
