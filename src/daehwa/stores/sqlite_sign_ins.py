"""Sessions and begun sign-ins in the database file."""

# ruff: noqa: S608 - what is put together are column names of ours
import sqlite3
from typing import Final

from daehwa.accounts.people import MOST_SESSIONS, SEEN_EVERY_MS, Session, SignInAttempt, User
from daehwa.stores.sqlite_values import columns, put, value_of

_SESSION: Final = (
    f"SELECT {columns(Session, 's.')}, {columns(User, 'u.')} FROM sessions s JOIN users u ON u.id = s.user "
    "WHERE s.id = ? AND s.expires > ? AND u.disabled IS NULL"
)
_OF_USER: Final = (
    f"SELECT {columns(Session)} FROM sessions WHERE user = ? AND expires > ? ORDER BY created DESC, id DESC"
)
_TOO_MANY: Final = (
    "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE user = ? AND id <> ? "
    f"ORDER BY expires DESC LIMIT -1 OFFSET {MOST_SESSIONS - 1})"
)
_EXPIRING: Final = ("sessions", "sign_in_attempts")


def save_session(database: sqlite3.Connection, session: Session) -> None:
    """Keep a session, and end the oldest of its user where there are too many."""
    put(database, "sessions", session)
    database.execute(_TOO_MANY, (session.user, session.id))


def get_session(database: sqlite3.Connection, session: str, now: int) -> tuple[Session, User] | None:
    """Return a session and its user, who may come in."""
    row = database.execute(_SESSION, (session, now)).fetchone()
    if row is None:
        return None
    width = len(Session.__struct_fields__)
    return value_of(Session, row[:width]), value_of(User, row[width:])


def list_sessions(database: sqlite3.Connection, user: str, now: int) -> tuple[Session, ...]:
    """Return a user's sessions."""
    return tuple(value_of(Session, row) for row in database.execute(_OF_USER, (user, now)))


def is_to_be_touched(session: Session, now: int) -> bool:
    """Whether its last use was written down long enough ago."""
    return now - session.last_seen >= SEEN_EVERY_MS


def touch_session(database: sqlite3.Connection, session: str, now: int, address: str | None) -> None:
    """Write down that a session is used."""
    database.execute("UPDATE sessions SET last_seen = ?, address = ? WHERE id = ?", (now, address, session))


def delete_session(database: sqlite3.Connection, session: str) -> None:
    """End a session."""
    database.execute("DELETE FROM sessions WHERE id = ?", (session,))


def delete_sessions(database: sqlite3.Connection, user: str, but: str | None) -> int:
    """End a user's sessions but one."""
    return database.execute("DELETE FROM sessions WHERE user = ? AND id IS NOT ?", (user, but)).rowcount


def take_attempt(database: sqlite3.Connection, attempt: str, now: int) -> SignInAttempt | None:
    """Return a begun sign-in and remove it."""
    row = database.execute(f"SELECT {columns(SignInAttempt)} FROM sign_in_attempts WHERE id = ?", (attempt,)).fetchone()
    if row is None:
        return None
    database.execute("DELETE FROM sign_in_attempts WHERE id = ?", (attempt,))
    taken = value_of(SignInAttempt, row)
    return taken if taken.expires > now else None


def purge_expired(database: sqlite3.Connection, now: int) -> int:
    """Remove what has expired, and return how many."""
    gone = (database.execute(f"DELETE FROM {table} WHERE expires <= ?", (now,)) for table in _EXPIRING)
    return sum(cursor.rowcount for cursor in gone)
