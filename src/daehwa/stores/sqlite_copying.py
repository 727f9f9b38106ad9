"""Taking a copy of the database while others may work with it: through SQLite, and so with its log."""

import errno
import os
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from daehwa.conversation.errors import StoreError
from daehwa.stores.sqlite_connection import open_as_it_is, store_error

_BESIDE = ("", "-journal", "-wal", "-shm")
_NOT_WRITTEN = {
    sqlite3.SQLITE_IOERR_WRITE,
    sqlite3.SQLITE_IOERR_TRUNCATE,
    sqlite3.SQLITE_IOERR_FSYNC,
    sqlite3.SQLITE_IOERR_DIR_FSYNC,
}


def take_copy(database: Path, target: Path) -> int:
    """Copy a database into a new file, for its owner alone, that gets its name when it is whole; return its bytes.

    Its schema stays as it is: an older one is not migrated. Raise `StoreError` where it is damaged, or where the new
    file cannot be written.
    """
    part = None
    try:
        part = new_file(target)
        with closing(open_as_it_is(database)) as source:
            copy_into(part, source)
        _check(part, database)
        part.replace(target)
        sync(target.parent)
        return target.stat().st_size
    except sqlite3.Error as error:
        raise store_error(database, error) from error
    except OSError as error:
        raise StoreError(
            f"'{target}' cannot be written: {error.strerror}. Give another name or make room, then try again."
        ) from error
    finally:
        if part is not None:
            for ending in _BESIDE:
                part.with_name(part.name + ending).unlink(missing_ok=True)


def new_file(target: Path) -> Path:
    """Return an empty file beside the target, for its owner alone, under a name that nothing has: what lies there may
    be somebody else's, or what an earlier command was killed over.
    """
    descriptor, path = tempfile.mkstemp(prefix=f"{target.name}.", suffix=".part", dir=target.parent)
    os.close(descriptor)
    return Path(path)


def copy_into(part: Path, source: sqlite3.Connection) -> None:
    """Copy an open database into an empty file through SQLite, and so with its log, and see that it is on the disk.

    Raise `OSError` where that file cannot take it, and `sqlite3.Error` where the database cannot be read.
    """
    source.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    with closing(sqlite3.connect(part)) as copy:
        try:
            source.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, without a log that would have to go along
        except sqlite3.Error as error:
            if (number := _write_fault(error)) is not None:
                raise OSError(number, os.strerror(number)) from error
            raise
    sync(part)


def _write_fault(error: sqlite3.Error) -> int | None:
    """Return what the system calls it where SQLite could not write: in a copy that is the new file's fault alone."""
    code = getattr(error, "sqlite_errorcode", 0)
    if code in _NOT_WRITTEN:
        return errno.EIO
    return {sqlite3.SQLITE_FULL: errno.ENOSPC, sqlite3.SQLITE_READONLY: errno.EROFS}.get(code & 0xFF)


def _check(copy: Path, database: Path) -> None:
    """Raise `StoreError` where a copy, and so the database, is damaged."""
    with closing(sqlite3.connect(copy)) as connection:
        (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        damaged = sqlite3.DatabaseError()
        damaged.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise store_error(database, damaged)


def sync(path: Path) -> None:
    """See that what a file or a folder holds is on the disk."""
    if path.is_dir() and os.name == "nt":
        return  # Windows has no such thing for folders
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
