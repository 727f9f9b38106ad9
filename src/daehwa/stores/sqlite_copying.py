"""Taking a copy of the database while others may work with it: through SQLite, and so with its log."""

import os
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from daehwa.conversation.errors import StoreError
from daehwa.stores.sqlite_connection import store_error

_BESIDE = ("", "-journal", "-wal", "-shm")


def take_copy(database: Path, target: Path) -> int:
    """Copy a database into a new file, for its owner alone, that gets its name when it is whole; return its bytes.

    Its schema stays as it is: an older one is not migrated. Raise `StoreError` where it is damaged, or where the new
    file cannot be written.
    """
    part = None
    try:
        part = new_file(target)
        _copy(database, part)
        with part.open("r+b") as file:
            os.fsync(file.fileno())
        part.replace(target)
        return target.stat().st_size
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


def _copy(database: Path, part: Path) -> None:
    try:
        with (
            closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(part)) as copy,
        ):
            source.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, without a log that would have to go along
            (found,) = copy.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as error:
        is_targets = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL
        raise store_error(part if is_targets else database, error) from error
    if found != "ok":
        damaged = sqlite3.DatabaseError()
        damaged.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise store_error(database, damaged)
