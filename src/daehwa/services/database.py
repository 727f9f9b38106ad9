"""Looks at the file of conversations, for `daehwa doctor`, takes a copy of it, and puts one back."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from daehwa.data_folder import nowhere
from daehwa.stores.sqlite_connection import open_as_it_is, store_error
from daehwa.stores.sqlite_copying import take_copy
from daehwa.stores.sqlite_restoring import PutBack, put_back
from daehwa.stores.sqlite_schema import APPLICATION_ID, MIGRATIONS

__all__ = ["PutBack", "database_fault", "put_back", "take_copy"]


def database_fault(path: Path) -> str | None:
    """Return what is wrong with the file of conversations, reading it only; None where all is well or none is there."""
    if not path.is_file():
        return _misplaced(path)
    if not os.access(path, os.R_OK | os.W_OK):
        return f"'{path}' cannot be read and written: check the permissions of the file."
    try:
        with closing(open_as_it_is(path)) as connection:
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            schema = _schema_fault(connection, path)
    except sqlite3.Error as error:
        return store_error(path, error).message
    if found != "ok":
        damaged = sqlite3.DatabaseError()
        damaged.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        return store_error(path, damaged).message
    return schema


def _misplaced(path: Path) -> str | None:
    """Return what is wrong where something is in the database's place that is no file."""
    if (fault := nowhere(path)) is not None:
        return fault
    return f"'{path}' is no file, and stands where the database belongs: move it away." if path.exists() else None


def _schema_fault(connection: sqlite3.Connection, path: Path) -> str | None:
    """Return what keeps a start from opening a sound database, or from working with it."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    there = _names(connection)
    if not there and not version:
        return None  # as good as none: a start makes all that is missing
    if application != APPLICATION_ID:
        return f"'{path}' is the database of another program. Move it away, or choose another data folder."
    if version > len(MIGRATIONS):
        return f"'{path}' was written by a newer daehwa. Install that version again."
    with closing(sqlite3.connect(":memory:")) as pattern:
        for migration in MIGRATIONS[: max(version, 0)]:
            migration(pattern)
        as_said = _names(pattern)
        for migration in MIGRATIONS[max(version, 0) :]:
            migration(pattern)
        wrong = (as_said - there) | ((_names(pattern) - as_said) & there)
    if version < 1 or wrong:
        named = f": {', '.join(sorted(wrong)[:5])}" if wrong else ""
        return (
            f"'{path}' is not what its number says, schema {version}{named}. Another program changed it: put back a "
            "copy with `daehwa restore FILE`."
        )
    return None


def _names(connection: sqlite3.Connection) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'")}
