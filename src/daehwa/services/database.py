"""Looks at the file of conversations, for `daehwa doctor`, and puts a copy of it back, for `daehwa restore`."""

import sqlite3
from contextlib import closing
from pathlib import Path

from daehwa.stores.sqlite_connection import store_error
from daehwa.stores.sqlite_migrations import MIGRATIONS
from daehwa.stores.sqlite_restoring import PutBack, put_back

__all__ = ["PutBack", "database_fault", "put_back"]


def database_fault(path: Path) -> str | None:
    """Return what is wrong with the file of conversations, reading it only; None where all is well or none is there."""
    if not path.is_file():
        return None
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            (version,) = connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.Error as error:
        return store_error(path, error).message
    if found != "ok":
        damaged = sqlite3.DatabaseError()
        damaged.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        return store_error(path, damaged).message
    if version > len(MIGRATIONS):
        return f"'{path}' was written by a newer daehwa. Install that version again."
    return None
