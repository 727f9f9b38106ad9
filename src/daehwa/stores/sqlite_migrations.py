"""Brings a database file to the newest schema, with a copy of it as it was beside it."""

import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path

from daehwa.conversation.errors import StoreError
from daehwa.stores.sqlite_schema import APPLICATION_ID, MIGRATIONS, Migration

Holding = Callable[[], AbstractContextManager[None]]


def migrate(
    database: sqlite3.Connection,
    path: Path,
    migrations: Sequence[Migration] = MIGRATIONS,
    *,
    holding: Holding = nullcontext,
) -> Path | None:
    """Bring a file to the newest schema in one transaction; return where a copy of it as it was is kept, if any.

    A file that is in use already is changed within `holding`, which refuses while an older version works with it.
    Raise `StoreError` when the file is another program's or of a newer version than this one.
    """
    version = _version(database, path, migrations)
    if version == len(migrations):
        return None
    with holding() if version else nullcontext():
        return _migrate(database, path, migrations)


def _migrate(database: sqlite3.Connection, path: Path, migrations: Sequence[Migration]) -> Path | None:
    backup, version = None, 0
    database.execute("BEGIN IMMEDIATE")  # one program migrates; another that starts meanwhile waits here
    try:
        version = _version(database, path, migrations)
        if 0 < version < len(migrations):
            backup = _back_up(path, version)
        for migration in migrations[version:]:
            migration(database)
        database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        database.execute(f"PRAGMA user_version = {len(migrations)}")
        database.execute("COMMIT")
    except BaseException:  # whatever ends it: it goes on its way
        if database.in_transaction:
            database.execute("ROLLBACK")
        if backup is not None and database.execute("PRAGMA user_version").fetchone()[0] == version:
            backup.unlink(missing_ok=True)  # the file is as it was, and the next attempt makes a copy of its own
        raise
    return backup


def _version(database: sqlite3.Connection, path: Path, migrations: Sequence[Migration]) -> int:
    version: int = database.execute("PRAGMA user_version").fetchone()[0]
    is_ours = database.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
    if not is_ours and (version or database.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]):
        raise StoreError(f"'{path}' is the database of another program. Move it away, or choose another data folder.")
    if version > len(migrations):
        raise StoreError(
            f"'{path}' was written by a newer daehwa (schema {version}; this one knows up to {len(migrations)}). "
            "Install the newer version again, or put back the backup that it made beside the file, with "
            "`daehwa restore FILE`: it moves the file's log (…-wal) away too."
        )
    return version


def _back_up(path: Path, version: int) -> Path:
    """Copy the database, through SQLite and so with its log, to a file beside it that says what it is."""
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    target = path.with_name(f"{path.stem}.schema-{version}.{moment}.backup{path.suffix}")
    unfinished = path.with_name(f"{path.stem}.backup{path.suffix}.part")
    os.close(os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600))
    try:
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(unfinished)) as copy:
            source.backup(copy)
        unfinished.replace(target)
    finally:
        for left in (unfinished, unfinished.with_name(unfinished.name + "-journal")):
            left.unlink(missing_ok=True)  # a disk that is full would be fuller at each attempt
    return target
