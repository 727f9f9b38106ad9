"""Reading from a database file: in a thread of its own that sleeps until it is asked, or in a glance on the spot."""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from daehwa.conversation.errors import InvalidRequest, StoreError
from daehwa.stores.sqlite_connection import is_no_text, mending_text, store_error

T = TypeVar("T")


class SqliteReader:
    """Does reading work, one piece after the other; the connection opens with the first."""

    def __init__(self, path: Path, connect: Callable[[], sqlite3.Connection], name: str) -> None:
        self._path = path
        self._connect = connect
        self._connection: sqlite3.Connection | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._is_closed = False

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do work in the thread; return its result, or raise what it raises."""
        if self._is_closed:
            raise StoreError("The store is closed.")
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._do, work)

    async def aclose(self) -> None:
        """Finish what was asked before, then close the connection. More than once is fine."""
        if not self._is_closed:
            self._is_closed = True
            await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
            self._thread.shutdown()

    def _do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            if self._connection is None:
                self._connection = self._connect()
            return self._mended(work, self._connection)
        except sqlite3.Error as error:
            raise store_error(self._path, error) from error
        except UnicodeEncodeError as error:
            raise InvalidRequest("Half a surrogate pair is not text.") from error

    def _mended(self, work: Callable[[sqlite3.Connection], T], connection: sqlite3.Connection) -> T:
        try:
            return work(connection)
        except sqlite3.OperationalError as error:
            if not is_no_text(error):
                raise
        with mending_text(connection):
            return work(connection)

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class SqliteGlance:
    """Reads a row or two by their key on the event loop, where a thread would take longer than the reading.

    A reader of a write-ahead log waits for no writer. What SQLite does not give at once is left to the reading thread.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection], reader: SqliteReader) -> None:
        self._connect = connect
        self._reader = reader
        self._connection: sqlite3.Connection | None = None
        self._is_closed = False

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do work that is quick and reads all its rows; return its result."""
        if self._is_closed:
            raise StoreError("The store is closed.")
        try:
            if self._connection is None:
                self._connection = self._connect()
            return work(self._connection)
        except sqlite3.Error:
            return await self._reader.run(work)

    def close(self) -> None:
        """Close the connection. More than once is fine."""
        self._is_closed = True
        if self._connection is not None:
            self._connection.close()
            self._connection = None
