"""Putting a copy of the database back: looked at first, put in place whole, and what was there is kept beside it.

How this works and why. A log (-wal) belongs to the one file beside which it was written. SQLite cannot tell: it plays
the log of the damaged file into whatever lies there under its name, and damages the copy. So the file, its log and the
log's index (-shm) get another name together, before the copy gets theirs.
"""

import contextlib
import os
import shutil
import sqlite3
import sys
from collections.abc import Callable
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from daehwa.conversation.errors import InvalidRequest, StoreError
from daehwa.stores.sqlite_connection import store_error
from daehwa.stores.sqlite_copying import copy_into, new_file, sync
from daehwa.stores.sqlite_schema import APPLICATION_ID, MIGRATIONS

_BESIDE = ("-wal", "-shm")
_SHARED_FIRST, _SHARED_LENGTH = 0x40000002, 510
"""The bytes of a database file that SQLite locks while it is open: its file format says so."""


class NotABackup(InvalidRequest):
    """The file cannot be put back; the message says why."""

    type = "not_a_backup"


class PutBack(msgspec.Struct, frozen=True, kw_only=True):
    """What was put back: how many conversations, and when the last of them was used (ms since 1970). `kept` is the new
    name of what was there before, if anything was.
    """

    conversations: int
    newest: int | None
    kept: Path | None


def put_back(source: Path, database: Path, *, give_place: Callable[[Path, Path], object] = Path.replace) -> PutBack:
    """Put a copy of `source` in the place of a database that nobody has open; `give_place` is the last step of it.

    Raise `NotABackup` where it is no sound database of ours, and `StoreError` where the place cannot take it.
    """
    if database.exists() and source.samefile(database):
        raise NotABackup(f"'{source}' is the database itself. Name the copy that is to be put in its place.")
    part = None
    try:
        part = new_file(database)
        _copy(source, part)
        conversations, newest = _looked_at(part, source)
        _end_sessions(part)
        _refuse_while_open(database)
        kept = _exchange(part, database, give_place)
        sync(database.parent)
    except OSError as error:
        raise StoreError(
            f"'{source}' cannot be put back: {error.strerror}. Make room, or check the permissions of "
            f"'{database.parent}', then try again."
        ) from error
    finally:
        if part is not None:
            part.unlink(missing_ok=True)
    return PutBack(conversations=conversations, newest=newest, kept=kept)


def _copy(source: Path, part: Path) -> None:
    """Copy what is to be put back, with its own log where that lies beside it, and not beside a link to it."""
    real = Path(os.path.realpath(source))
    has_log = real.with_name(real.name + "-wal").exists()
    try:
        with closing(_opened(real, "mode=ro" if has_log else "immutable=1")) as given:
            copy_into(part, given)
    except sqlite3.Error as error:
        if has_log and getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_CANTOPEN:
            raise StoreError(  # as on a snapshot that is read only
                f"'{source}' has its log beside it (…-wal), and SQLite reads the two only where it may write. Copy "
                "both into a folder of yours, and name the file there. Nothing was changed."
            ) from error
        raise _not_sound(source, str(error)) from error


def _opened(path: Path, how: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True)


def _looked_at(copy: Path, source: Path) -> tuple[int, int | None]:
    """Return how many conversations a copy has, and when the last was used. Raise `NotABackup`."""
    try:
        with closing(_opened(copy, "immutable=1")) as connection:  # nothing is written beside it
            if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
                raise NotABackup(f"'{source}' is not a database of daehwa. Nothing was changed.")
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version > len(MIGRATIONS):
                raise NotABackup(
                    f"'{source}' was written by a newer daehwa (schema {version}; this one knows up to "
                    f"{len(MIGRATIONS)}). Install that version first. Nothing was changed."
                )
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if found != "ok":
                raise _not_sound(source, found)
            count, newest = connection.execute(
                "SELECT count(*), max(updated) FROM conversations WHERE deleted IS NULL"
            ).fetchone()
    except sqlite3.Error as error:
        raise _not_sound(source, str(error)) from error
    return count, newest


def _end_sessions(copy: Path) -> None:
    """End all sessions and begun sign-ins of a copy: some were ended since it was made, and nobody knows which."""
    try:
        with closing(sqlite3.connect(copy)) as connection:
            found = connection.execute(
                "SELECT name FROM sqlite_schema WHERE type = 'table' AND name IN ('sessions', 'sign_in_attempts')"
            )
            for (table,) in found.fetchall():
                connection.execute(f"DELETE FROM {table}")  # noqa: S608 - one of the two
            connection.commit()
    except sqlite3.Error as error:
        raise store_error(copy, error) from error
    sync(copy)


def _not_sound(source: Path, found: str) -> NotABackup:
    return NotABackup(f"'{source}' is not a sound database ({found}). Name another copy. Nothing was changed.")


def _refuse_while_open(database: Path) -> None:
    """Raise `StoreError` while another process has the database open: SQLite removes a log by its name at the end."""
    if sys.platform == "win32" or not database.is_file():
        return  # Windows refuses to rename what is open
    import fcntl  # noqa: PLC0415 - not on Windows

    with database.open("r+b") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, _SHARED_LENGTH, _SHARED_FIRST)
        except OSError:
            raise StoreError(
                f"'{database}' is open in another program, perhaps in a daehwa command. End that, then try again. "
                "Nothing was changed."
            ) from None


def _exchange(part: Path, database: Path, give_place: Callable[[Path, Path], object]) -> Path | None:
    """Set what is there aside and give its place to `part`; where that fails, all is as it was. Return what is kept."""
    undo = ExitStack()
    try:
        kept = _set_aside(database, undo)
        sync(database.parent)  # a power cut leaves no file whose log went before it got its other name
        give_place(part, database)
    except BaseException:  # Ctrl-C too
        if part.exists():  # else the copy has the place, and a log that is not its own would damage it
            undo.close()
        raise
    return kept


def _set_aside(database: Path, undo: ExitStack) -> Path | None:
    """Give the database and what belongs to it another name; return that of the file, None where none was there.
    `undo` gets what takes each step back.

    The file goes by having two names for a moment: without one, a start in that moment would make an empty database.
    """
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
    kept = database.with_name(f"{database.stem}.replaced.{moment}{database.suffix}")
    is_there = os.path.lexists(database)
    if database.is_file():
        undo.callback(kept.unlink, missing_ok=True)
        _give_second_name(database, kept)
    elif is_there:
        _rename(database, kept, undo)
    for ending in _BESIDE:
        with contextlib.suppress(FileNotFoundError):
            _rename(database.with_name(database.name + ending), kept.with_name(kept.name + ending), undo)
    return kept if is_there else None


def _give_second_name(path: Path, name: Path) -> None:
    try:
        os.link(path, name)
    except OSError:  # a file system where a file has one name
        shutil.copyfile(path, name)
        name.chmod(0o600)
        sync(name)


def _rename(path: Path, name: Path, undo: ExitStack) -> None:
    path.rename(name)
    undo.callback(name.rename, path)
