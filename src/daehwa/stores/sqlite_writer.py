"""The one thread that writes to a database file.

How this works and why. A disk takes about as long to make one row durable as to make a thousand, so what many callers
want written while one transaction is under way shares the next one (group commit). Nobody waits for company: a lone
write begins at once. Work is a function of the connection that checks before it writes; a fault that SQLite finds in
the middle takes the whole transaction back, and each piece of work is then done again by itself, so that it fails for
its own caller only. The thread sleeps in a queue: no polling, no timer.
"""

import asyncio
import os
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Final, Self, TypeAlias, TypeVar

from daehwa.conversation.errors import DaehwaError, StoreError
from daehwa.stores.sqlite_connection import copy_log, is_no_text, mending_text, store_error

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

_BATCH: Final = 512
# About a thousand pages of log. When the queue is empty it is copied into the file, else after eight times as much.
_CHANGES_BEFORE_CHECKPOINT: Final = 500
_CHANGES_AT_MOST: Final = 4_000


_Identity: TypeAlias = tuple[int, int] | None


class _Job:
    __slots__ = ("future", "in_transaction", "loop", "work")

    def __init__(self, work: Work[Any], loop: asyncio.AbstractEventLoop, *, in_transaction: bool) -> None:
        self.work = work
        self.loop = loop
        self.future = loop.create_future()
        self.in_transaction = in_transaction


class _Outcome:
    """What became of a job: its result, or what it raised within `with`, which is its caller's to meet."""

    __slots__ = ("error", "has_met_no_text", "path", "result")

    def __init__(self, path: Path) -> None:
        self.path = path
        self.result: Any = None
        self.error: BaseException | None = None
        self.has_met_no_text = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        self.has_met_no_text = is_no_text(error)
        self.error = store_error(self.path, error) if isinstance(error, sqlite3.Error | OSError) else error
        return error is not None

    @property
    def is_refusal(self) -> bool:
        """Whether the work was refused by the core's rules, rather than broken off by a fault."""
        return isinstance(self.error, DaehwaError) and not isinstance(self.error, StoreError)

    def deliver(self, future: asyncio.Future[Any]) -> None:
        if future.done():
            return
        if self.error is not None:
            future.set_exception(self.error)
        else:
            future.set_result(self.result)


class SqliteWriter:
    """Does work on a connection of its own, in an own thread; `run` returns when the work is on disk."""

    def __init__(self, path: Path, connect: Callable[[], sqlite3.Connection]) -> None:
        self._path = path
        self._connect = connect
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._is_closed = False
        self._log = f"{path}-wal"
        self._files: tuple[_Identity, _Identity] | None = None
        self.is_misplaced = False
        """Whether a write has found its file or its log gone, or another one in its place."""
        self._changes_at_checkpoint = 0

    async def start(self) -> None:
        """Open the connection. Raise what opening it raises."""
        loop = asyncio.get_running_loop()
        opened: asyncio.Future[Any] = loop.create_future()
        # A daemon: what was acknowledged is on disk, so a program that forgets to close loses nothing by its end.
        self._thread = threading.Thread(target=self._live, args=(loop, opened), name="sqlite-writer", daemon=True)
        self._thread.start()
        await opened

    async def run(self, work: Work[T], *, in_transaction: bool = True) -> T:
        """Do work; return its result once it is on disk, or raise what it raises."""
        if self._is_closed:
            raise StoreError("The store is closed.")
        job = _Job(work, asyncio.get_running_loop(), in_transaction=in_transaction)
        self._queue.put(job)
        result: T = await job.future
        return result

    async def aclose(self) -> None:
        """Finish what was asked before, then close the connection. More than once is fine."""
        if not self._is_closed:
            self._is_closed = True
            self._queue.put(None)
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    def _live(self, loop: asyncio.AbstractEventLoop, opened: asyncio.Future[Any]) -> None:
        with _Outcome(self._path) as outcome:
            outcome.result = self._connect()
        connection: sqlite3.Connection | None = outcome.result
        outcome.result = None
        _deliver(loop, [(outcome, opened)])
        if connection is None:
            return
        self._changes_at_checkpoint = connection.total_changes
        while self._serve(connection):
            pass
        connection.close()

    def _serve(self, connection: sqlite3.Connection) -> bool:
        """Do what is in the queue, waiting for something to be; return whether there will be more."""
        batch, is_last = self._next_batch()
        in_transaction = [job for job in batch if job.in_transaction]
        self._finish(in_transaction, self._commit(connection, in_transaction) if in_transaction else [])
        for job in batch:
            if not job.in_transaction:
                self._finish([job], [self._outcome(connection, job)])
        self._checkpoint(connection)
        return not is_last

    def _next_batch(self) -> tuple[list[_Job], bool]:
        job = self._queue.get()
        batch: list[_Job] = []
        with suppress(Empty):
            while job is not None:
                batch.append(job)
                if len(batch) == _BATCH:
                    return batch, False
                job = self._queue.get_nowait()
        return batch, job is None

    def _finish(self, batch: list[_Job], outcomes: list[_Outcome]) -> None:
        """Wake the callers, once for each event loop."""
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[_Outcome, asyncio.Future[Any]]]] = {}
        for job, outcome in zip(batch, outcomes, strict=True):
            by_loop.setdefault(job.loop, []).append((outcome, job.future))
        for loop, pairs in by_loop.items():
            _deliver(loop, pairs)

    def _commit(self, connection: sqlite3.Connection, batch: list[_Job]) -> list[_Outcome]:
        outcomes = self._attempted(connection, batch)
        if len(batch) == 1 and outcomes is not None and outcomes[0].has_met_no_text:
            with mending_text(connection):
                outcomes = self._attempted(connection, batch)
        if outcomes is not None:
            return outcomes
        return [outcome for job in batch for outcome in self._commit(connection, [job])]

    def _attempted(self, connection: sqlite3.Connection, batch: list[_Job]) -> list[_Outcome] | None:
        outcomes = self._attempt(connection, batch)
        if connection.in_transaction:
            with suppress(sqlite3.Error):  # what cannot be taken back now is, when the connection is next used
                connection.execute("ROLLBACK")
        return outcomes

    def _attempt(self, connection: sqlite3.Connection, batch: list[_Job]) -> list[_Outcome] | None:
        """Do the batch in one transaction; None, with nothing done, when one of several jobs broke it off."""
        outcomes: list[_Outcome] = []
        with _Outcome(self._path) as whole:
            connection.execute("BEGIN IMMEDIATE")
            for job in batch:
                changes = connection.total_changes
                outcome = self._outcome(connection, job)
                outcomes.append(outcome)
                is_clean = outcome.error is None or (outcome.is_refusal and changes == connection.total_changes)
                if not is_clean:
                    return outcomes if len(batch) == 1 else None
            connection.execute("COMMIT")
            self._check_place()
        return outcomes if whole.error is None else [whole] * len(batch)

    def _check_place(self) -> None:
        """Raise `StoreError` where what was just written is in no folder any more: nobody shall be told that it is."""
        found = _identity(self._path), _identity(self._log)
        if self._files is None:
            self._files = found
        if found == self._files and None not in found:
            return
        self.is_misplaced = True
        told = "Conversations are not kept any more: their file was removed or replaced while the server ran."
        raise StoreError(
            f"The file '{self._path}', or its log beside it, was removed or replaced while daehwa ran: what is written "
            "now is lost. Stop it, put the data folder back (`daehwa restore FILE`), and start again.",
            told=told,
        )

    def _outcome(self, connection: sqlite3.Connection, job: _Job) -> _Outcome:
        with _Outcome(self._path) as outcome:
            outcome.result = job.work(connection)
        return outcome

    def _checkpoint(self, connection: sqlite3.Connection) -> None:
        changes = connection.total_changes - self._changes_at_checkpoint
        if changes < _CHANGES_BEFORE_CHECKPOINT or (changes < _CHANGES_AT_MOST and not self._queue.empty()):
            return
        self._changes_at_checkpoint = connection.total_changes
        with suppress(sqlite3.Error):  # the log keeps what it holds, and the next write says what is wrong
            copy_log(connection)


def _identity(path: Path | str) -> _Identity:
    """Return what tells a file from any other; None where there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116 - each commit asks for two of these
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _deliver(loop: asyncio.AbstractEventLoop, pairs: list[tuple[_Outcome, asyncio.Future[Any]]]) -> None:
    with suppress(RuntimeError):  # the loop is closed: nobody waits any more
        loop.call_soon_threadsafe(_deliver_here, pairs)


def _deliver_here(pairs: list[tuple[_Outcome, asyncio.Future[Any]]]) -> None:
    for outcome, future in pairs:
        outcome.deliver(future)
