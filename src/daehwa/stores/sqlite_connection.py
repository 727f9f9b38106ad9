"""How a database file is opened, and what SQLite's errors mean to the person who meets them."""

import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Literal

from daehwa.conversation.errors import StoreError

OLDEST_SQLITE = (3, 35, 0)
BUSY_SECONDS = 5.0
_STATEMENTS = 128
_READER_CACHE_KIB = 8_000
_WRITER_CACHE_KIB = 8_000
_GLANCE_CACHE_KIB = 500
_LOG_BYTES_KEPT = 8_000_000
_LOG_PAGES_KEPT = _LOG_BYTES_KEPT // 4096
_LOG_PAGES_LEFT = _LOG_PAGES_KEPT // 4
_LONG_LOG_WAIT_MS = 50
# SQLite's own checkpoint runs inside a commit, before its callers hear of it; the writer's comes after, and sooner.
_LAST_RESORT_LOG_PAGES = 4_000
_WRITER_PRAGMAS = (
    "synchronous = FULL",
    "fullfsync = ON",
    "checkpoint_fullfsync = ON",
    "foreign_keys = ON",
    "secure_delete = ON",
    "temp_store = MEMORY",
    f"cache_size = -{_WRITER_CACHE_KIB}",
    f"journal_size_limit = {_LOG_BYTES_KEPT}",
    f"wal_autocheckpoint = {_LAST_RESORT_LOG_PAGES}",
)

_SENTENCES = {
    sqlite3.SQLITE_FULL: "The disk is full: free some space, then try again.",
    sqlite3.SQLITE_READONLY: "It cannot be written: check the permissions of the file and its folder.",
    sqlite3.SQLITE_PERM: "Access is denied: check the permissions of the file and its folder.",
    sqlite3.SQLITE_CANTOPEN: "It cannot be opened: check that the folder exists and may be written.",
    sqlite3.SQLITE_BUSY: "Another program holds it locked: close that program, then try again.",
    sqlite3.SQLITE_LOCKED: "Another program holds it locked: close that program, then try again.",
    sqlite3.SQLITE_NOTADB: "It is not a database, or its beginning is damaged: put back a copy of it with "
    "`daehwa restore FILE`, or choose another data folder.",
    sqlite3.SQLITE_CORRUPT: "It is damaged: put back a copy of it with `daehwa restore FILE`, which moves away the log "
    "beside it as well (…-wal, …-shm; beside a copy it would damage that), or repair it with 'sqlite3 … .recover'.",
    sqlite3.SQLITE_IOERR: "The disk reports an error: check the disk, then start again.",
}


def store_error(path: Path, error: sqlite3.Error | OSError) -> StoreError:
    """Return what an error of SQLite or of the file system means, as a sentence that says what to do."""
    if isinstance(error, OSError):
        sentence = f"The file cannot be opened ({error.strerror}): check that its folder exists and may be written."
    else:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        sentence = _SENTENCES.get(code, f"SQLite says: {error}.")
    told = f"Conversations cannot be reached. {sentence}"
    return StoreError(f"Conversations are kept in '{path}'. {sentence}", told=told)


def is_damage(error: sqlite3.Error) -> bool:
    """Whether SQLite met a page that none of its own could be; the others may well be whole."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_CORRUPT


def is_no_text(error: BaseException | None) -> bool:
    """Whether SQLite met bytes that are no UTF-8 where a text should be: a disk has damaged them."""
    return isinstance(error, sqlite3.OperationalError) and "Could not decode to UTF-8" in str(error)


@contextmanager
def mending_text(connection: sqlite3.Connection) -> Iterator[None]:
    """Read such bytes as U+FFFD meanwhile. Not always: it would cost each text that is read a call."""
    connection.text_factory = partial(str, encoding="utf-8", errors="replace")
    try:
        yield
    finally:
        connection.text_factory = str


def check_sqlite() -> None:
    """Raise `StoreError` when the SQLite that Python came with cannot do what is needed."""
    advice = "Use a Python that brings a newer one, such as 'uv python install' gives."
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        oldest = ".".join(map(str, OLDEST_SQLITE))
        raise StoreError(f"SQLite {sqlite3.sqlite_version} is too old; {oldest} or newer is needed. {advice}")
    with_memory = sqlite3.connect(":memory:")
    try:
        with_memory.execute("CREATE VIRTUAL TABLE probe USING fts5(tokens, content='', detail=none)")
    except sqlite3.OperationalError as error:
        raise StoreError(f"This SQLite was built without full-text search (FTS5). {advice}") from error
    finally:
        with_memory.close()


def open_file(path: Path) -> sqlite3.Connection:
    """Open a file as it is; a new one is its owner's alone. Nothing is written yet: it may be another program's."""
    if not path.exists():
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    return _connect(path)


def prepare_to_write(connection: sqlite3.Connection, path: Path) -> None:
    """Switch on what durability, privacy and group commit need."""
    _switch_log_on(connection, path)
    for pragma in _WRITER_PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _switch_log_on(connection: sqlite3.Connection, path: Path) -> None:
    if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
        raise StoreError(f"'{path}' cannot have a write-ahead log here: choose a data folder on a local disk.")


def open_reader(path: Path) -> sqlite3.Connection:
    """Open a connection that only reads, from a snapshot that no writer disturbs."""
    connection = _connect(path)
    connection.execute("PRAGMA query_only = ON")
    connection.execute(f"PRAGMA cache_size = -{_READER_CACHE_KIB}")
    return connection


def open_glance(path: Path) -> sqlite3.Connection:
    """Open a connection that only reads, a little at a time, and never waits."""
    connection = _connect(path)
    connection.execute("PRAGMA query_only = ON")
    connection.execute(f"PRAGMA cache_size = -{_GLANCE_CACHE_KIB}")
    connection.execute("PRAGMA busy_timeout = 0")
    return connection


def open_as_it_is(path: Path) -> sqlite3.Connection:
    """Open a file, of whatever version, to look at it alone; others may work with it. Where no log lies beside it,
    SQLite makes one to read by, and takes it away at the end only for a connection that may write.
    """
    mode = "ro" if path.with_name(path.name + "-wal").exists() else "rw"
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True)
    connection.execute("PRAGMA query_only = ON")
    return connection


def open_jotter(path: Path) -> sqlite3.Connection:
    """Open a connection that writes a little at a time, never waits, and leaves syncing and checkpoints to others."""
    connection = _connect(path)
    for pragma in ("synchronous = NORMAL", "foreign_keys = ON", "secure_delete = ON", "wal_autocheckpoint = 0"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES_KEPT}")  # the log is cut by whoever begins it anew
    connection.execute(f"PRAGMA cache_size = -{_GLANCE_CACHE_KIB}")
    connection.execute("PRAGMA busy_timeout = 0")
    return connection


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, cached_statements=_STATEMENTS)
    connection.execute("PRAGMA trusted_schema = OFF")
    if sys.version_info >= (3, 12):  # a file that was tampered with cannot have its inner tables written by statements
        connection.setconfig(sqlite3.SQLITE_DBCONFIG_DEFENSIVE, True)
    connection.execute("PRAGMA cell_size_check = ON")
    return connection


def copy_log(connection: sqlite3.Connection) -> None:
    """Copy the log into the file while others read and write. It begins anew only where all of it is copied, and who
    writes all the time adds to it meanwhile: once it is long, what is left is copied while nobody may write. Not where
    much is left: somebody reads for long, a backup for one, and to wait for that would only hold up who writes.
    """
    _, pages, copied = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    if pages > _LOG_PAGES_KEPT and pages - copied < _LOG_PAGES_LEFT:
        _copy_alone(connection, "RESTART", wait_ms=_LONG_LOG_WAIT_MS)


def truncate_log(connection: sqlite3.Connection) -> bool:
    """Copy the whole log into the file and empty it; return False, at once, when somebody still reads from it."""
    return _copy_alone(connection, "TRUNCATE", wait_ms=0)


def _copy_alone(connection: sqlite3.Connection, how: Literal["RESTART", "TRUNCATE"], *, wait_ms: int) -> bool:
    connection.execute(f"PRAGMA busy_timeout = {wait_ms}")
    try:
        is_busy: int = connection.execute(f"PRAGMA wal_checkpoint({how})").fetchone()[0]
    finally:
        connection.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")
    return not is_busy


def write_anew(connection: sqlite3.Connection) -> None:
    """Write the whole file anew, from what is in it. Where a page was once full, SQLite moves rows to others and leaves
    bytes of them where nothing is looked for; `secure_delete` knows of rows that are removed, not of these.
    """
    connection.execute("PRAGMA temp_store = FILE")  # the copy is as large as the file
    try:
        connection.execute("VACUUM")
    finally:
        connection.execute("PRAGMA temp_store = MEMORY")
