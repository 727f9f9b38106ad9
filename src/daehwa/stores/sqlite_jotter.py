"""Writing a row or two of a database file on the event loop, where a thread and a disk would take ten times as long.

How this works and why. A call to a model waits for its reservation, and a thread, its wake-ups and the disk's word
that all is safe are most of what the call would wait. What is written here is handed to the operating system at once,
so it stays whatever becomes of this process, a `kill -9` included; the disk is told to make it safe within
`SYNC_SECONDS`, in a thread, once for all that was written meanwhile. Only where the machine itself stops in between is
it lost. Where another connection writes at the moment, the writing thread does the work, and nothing waits here.

A transaction is a dozen calls of the kernel before its first row. So those who ask in one turn of the loop share one
in the next, and what nobody waits for goes into it too: under load, some calls' settling with others' reserving. What
is to be done to each of several things is handed over with all of them, so that what they change in common is changed
once.
"""

import asyncio
import os
import sqlite3
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

from daehwa.conversation.errors import StoreError
from daehwa.stores.sqlite_connection import copy_log
from daehwa.stores.sqlite_writer import SqliteWriter

T = TypeVar("T")
EachWork: TypeAlias = Callable[[sqlite3.Connection, Sequence[T]], object]
"""What is done to each of several things."""

SYNC_SECONDS: Final = 0.1
"""So long after a write the disk is told to make it safe. At a fifth of it, that takes an eighth of a call's time."""
_CHANGES_BEFORE_CHECKPOINT: Final = 500
_UNKEEPABLE: Final = (OverflowError, ValueError)
"""What SQLite's module says of numbers and texts that it cannot keep."""


class NotNow(Exception):  # noqa: N818 - errors state the fact
    """The work cannot be done on the spot: the writing thread is to do it."""


class TooMuchToJot(NotNow):
    """The work turned out to be more than a row or two."""


class _WaitedFor(NamedTuple):
    """A thing that something is to be done to, and who is told why it was not."""

    thing: Any
    told: "asyncio.Future[NotNow | None]"


class _Soon(NamedTuple):
    """A thing that something is to be done to, and what is called where it cannot be."""

    thing: Any
    otherwise: Callable[[], object]


class SqliteJotter:
    """Does small work on a connection of its own. `connect` opens one that waits for nobody and syncs nothing."""

    def __init__(self, path: Path, connect: Callable[[], sqlite3.Connection], writer: SqliteWriter) -> None:
        self._log = Path(f"{path}-wal")
        self._connect = connect
        self._writer = writer
        self._connection: sqlite3.Connection | None = None
        self._changes_at_checkpoint = 0
        self._soon: dict[EachWork[Any], list[_Soon]] = {}
        self._waited_for: dict[EachWork[Any], list[_WaitedFor]] = {}
        self._is_turn_asked = False
        self._later: asyncio.TimerHandle | None = None
        self._works: set[asyncio.Task[None]] = set()
        self._is_closed = False

    async def run(
        self, work: Callable[[sqlite3.Connection], T], *, thorough: Callable[[sqlite3.Connection], T] | None = None
    ) -> T:
        """Do work that writes a row or two, in a transaction; return its result. Where that cannot be, or the work
        raises `TooMuchToJot`, the writing thread does it, or what is `thorough` in its place.
        """
        try:
            return self.run_now(work)
        except NotNow:
            return await self._writer.run(thorough or work)

    def run_now(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do work as `run` does, but without waiting for anything, and before it what is to be done soon. Raise
        `NotNow`, with nothing done, where that cannot be.
        """
        if self._is_closed:
            raise StoreError("The store is closed.")
        try:
            if self._connection is None:
                self._connection = self._connect()
            result = _done(self._connection, self._soon, work)
        except sqlite3.Error as error:  # somebody else writes; or the writing thread will say what is wrong
            raise NotNow from error
        except NotNow:
            raise
        except BaseException:  # whosever fault it is: who comes next does not meet it once more
            self._hand_on()
            raise
        self._soon.clear()
        if self._later is None:
            self._later = asyncio.get_running_loop().call_later(SYNC_SECONDS, self._begin_sync)
        changes = self._connection.total_changes
        if changes - self._changes_at_checkpoint >= _CHANGES_BEFORE_CHECKPOINT:
            self._changes_at_checkpoint = changes
            self._begin(self._checkpoint())
        return result

    async def run_together(self, work: EachWork[T], thing: T) -> None:
        """Do work to a thing in the next turn of the loop, in one transaction with whatever else is wanted until then:
        at once to all things that the same work is wanted for, or, where it raises, to each alone. Raise `NotNow` where
        it cannot be: then nothing is done to this one, and the others are done all the same.
        """
        told: asyncio.Future[NotNow | None] = asyncio.get_running_loop().create_future()
        self._waited_for.setdefault(work, []).append(_WaitedFor(thing, told))
        self._ask_for_turn()
        error = await told
        if error is not None:
            try:
                raise error
            finally:
                del error, told  # else they are a circle, of this call and what it raises

    def run_alone(self, work: EachWork[T], thing: T) -> None:
        """Do work to a thing at once, in a transaction without others. Raise `NotNow` where it cannot be, with nothing
        done.
        """
        [error] = self.run_now(partial(_errors_of, work=work, things=[thing]))
        if error is not None:
            try:
                raise error
            finally:
                del error  # else it is a circle, of this call and what it raises

    def run_soon(self, work: EachWork[T], thing: T, otherwise: Callable[[], object]) -> None:
        """Do work to a thing in the transaction of whatever is done next, at the latest in the next turn of the loop:
        at once to all things that the same work is wanted for. Where that cannot be, nothing of it is done, and
        `otherwise` is called.
        """
        self._soon.setdefault(work, []).append(_Soon(thing, otherwise))
        self._ask_for_turn()

    def _ask_for_turn(self) -> None:
        if not self._is_turn_asked:
            self._is_turn_asked = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        """Do all that is wanted, and tell those who wait, whatever happens."""
        self._is_turn_asked = False
        waited_for, self._waited_for = self._waited_for, {}
        asked = [(work, each) for work, things in waited_for.items() for each in things if not each.told.done()]
        errors: list[NotNow | None] = [NotNow() for _ in asked]  # of those who are there still
        try:
            if asked:
                errors = self.run_now(partial(_do_all, asked=asked))
        except (NotNow, StoreError):
            pass  # the writing thread does them, and says what is wrong
        finally:
            for (_, each), error in zip(asked, errors, strict=True):
                each.told.set_result(error)
            self.finish()  # nothing is left of it but where none of these could be done

    def finish(self) -> None:
        """Do at once what was to be done soon."""
        if not self._soon:
            return
        try:
            self.run_now(_nothing_more)
        except (NotNow, StoreError):
            self._hand_on()

    def _hand_on(self) -> None:
        left, self._soon = self._soon, {}
        for things in left.values():
            for each in things:
                each.otherwise()

    def version(self) -> int | None:
        """Return a number that is another one once anybody else has written to the file, this process's writing thread
        or another process; None where SQLite does not say at once. What is written here does not change it.
        """
        if self._is_closed:
            return None
        try:
            if self._connection is None:
                self._connection = self._connect()
            found: int = self._connection.execute("PRAGMA data_version").fetchone()[0]
        except sqlite3.Error:
            return None
        return found

    def _begin_sync(self) -> None:
        self._later = None
        self._begin(asyncio.to_thread(_sync, self._log))

    async def _checkpoint(self) -> None:
        with suppress(StoreError):  # the next write says what is wrong
            await self._writer.run(copy_log, in_transaction=False)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._works.add(task)
        task.add_done_callback(self._works.discard)

    async def aclose(self) -> None:
        """Do what is wanted, make all that was written safe, then close the connection. More than once is fine."""
        self._turn()
        self._is_closed = True
        if self._later is not None:
            self._later.cancel()
            self._begin_sync()
        if self._works:
            await asyncio.wait(tuple(self._works))
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _do_earlier(connection: sqlite3.Connection, soon: Mapping[EachWork[Any], Sequence[_Soon]]) -> None:
    try:
        for work, things in soon.items():
            work(connection, [each.thing for each in things])
    except (sqlite3.Error, *_UNKEEPABLE) as error:  # it is not to be told to whoever comes next
        raise NotNow from error


def _do_all(connection: sqlite3.Connection, asked: Sequence[tuple[EachWork[Any], _WaitedFor]]) -> list[NotNow | None]:
    """Do works within one transaction; return why one was not, of which nothing is done."""
    errors: list[NotNow | None] = []
    for work, group in groupby(asked, itemgetter(0)):
        errors += _errors_of(connection, work, [each.thing for _, each in group])
    return errors


def _errors_of(connection: sqlite3.Connection, work: EachWork[T], things: Sequence[T]) -> list[NotNow | None]:
    error = _error_of(connection, work, things)
    if error is None or len(things) == 1:
        return [error] * len(things)
    return [_error_of(connection, work, [thing]) for thing in things]


def _error_of(connection: sqlite3.Connection, work: EachWork[T], things: Sequence[T]) -> NotNow | None:
    told: NotNow | None = None
    connection.execute("SAVEPOINT one")
    try:
        work(connection, things)
    except (sqlite3.Error, *_UNKEEPABLE, NotNow) as error:
        connection.execute("ROLLBACK TO one")  # raises where SQLite has taken back all of the transaction
        told = error if isinstance(error, NotNow) else NotNow(str(error))
    connection.execute("RELEASE one")
    return told


def _nothing_more(_connection: sqlite3.Connection) -> None:
    """Leave it at what was to be done soon."""


def _done(
    connection: sqlite3.Connection,
    soon: Mapping[EachWork[Any], Sequence[_Soon]],
    work: Callable[[sqlite3.Connection], T],
) -> T:
    connection.execute("BEGIN IMMEDIATE")
    try:
        _do_earlier(connection, soon)
        result = work(connection)
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise
    return result


def _sync(log: Path) -> None:
    with suppress(OSError):  # the next durable write says what is wrong
        descriptor = os.open(log, os.O_RDWR)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
