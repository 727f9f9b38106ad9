"""Writing on the spot: who else writes holds nobody up, what was written is there for everybody, and stays."""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from stores.jotting import transactions

from daehwa.conversation.errors import StoreError
from daehwa.stores.sqlite import SqliteStore
from daehwa.stores.sqlite_connection import copy_log, open_file, open_jotter, open_reader, prepare_to_write
from daehwa.stores.sqlite_jotter import NotNow, TooMuchToJot


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = await SqliteStore.open(tmp_path / "daehwa.db")
    await opened.writer.run(lambda database: database.execute("CREATE TABLE notes (said TEXT)").fetchall())
    yield opened
    await opened.aclose()


def noting(said: str) -> Callable[[sqlite3.Connection], str]:
    def work(database: sqlite3.Connection) -> str:
        database.execute("INSERT INTO notes VALUES (?)", (said,))
        return said

    return work


def note(database: sqlite3.Connection, things: Sequence[str]) -> None:
    database.executemany("INSERT INTO notes VALUES (?)", [(said,) for said in things])


async def notes(store: SqliteStore) -> list[str]:
    return [
        row[0] for row in await store.reader.run(lambda database: database.execute("SELECT said FROM notes").fetchall())
    ]


async def test_what_is_written_is_there_at_once(store: SqliteStore) -> None:
    assert await store.jotter.run(noting("a")) == "a"
    assert await notes(store) == ["a"]


async def test_who_else_writes_holds_nobody_up(store: SqliteStore) -> None:
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    writing = asyncio.ensure_future(store.jotter.run(noting("a")))
    begun = asyncio.get_running_loop().time()
    await asyncio.sleep(0.05)
    assert asyncio.get_running_loop().time() - begun < 1, "the loop goes on"
    assert not writing.done()
    other.execute("COMMIT")
    other.close()
    await asyncio.wait_for(writing, 5)
    assert await notes(store) == ["a"]


async def test_work_that_fails_leaves_nothing(store: SqliteStore) -> None:
    def work(database: sqlite3.Connection) -> None:
        database.execute("INSERT INTO notes VALUES ('a')")
        raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        await store.jotter.run(work)
    await store.jotter.run(noting("b"))
    assert await notes(store) == ["b"]


async def test_what_is_more_than_a_row_or_two_is_for_the_thread(store: SqliteStore) -> None:
    def work(database: sqlite3.Connection) -> str:
        database.execute("INSERT INTO notes VALUES ('a')")
        raise TooMuchToJot

    assert await store.jotter.run(work, thorough=noting("b")) == "b"
    assert await notes(store) == ["b"]


async def test_what_sqlite_refuses_is_told_as_by_the_thread(store: SqliteStore) -> None:
    with pytest.raises(StoreError, match="no such table"):
        await store.jotter.run(lambda database: database.execute("INSERT INTO nowhere VALUES (1)").fetchall())


def _size(path: str) -> int:
    return Path(path).stat().st_size


def _no_other() -> None:
    pytest.fail("it can be written here")


async def test_what_nobody_waits_for_is_written_with_what_comes_next(store: SqliteStore) -> None:
    begun = transactions(store)
    store.jotter.run_soon(note, "a", _no_other)
    store.jotter.run_soon(note, "b", _no_other)
    await store.jotter.run(noting("c"))
    assert await notes(store) == ["a", "b", "c"]
    assert len(begun) == 1


async def test_what_nobody_waits_for_is_written_though_nothing_comes(store: SqliteStore) -> None:
    begun = transactions(store)
    store.jotter.run_soon(note, "a", _no_other)
    store.jotter.run_soon(note, "b", _no_other)
    assert begun == []
    await asyncio.sleep(0)
    assert len(begun) == 1
    assert await notes(store) == ["a", "b"]


async def test_what_nobody_waits_for_is_somebody_elses_where_another_writes(store: SqliteStore) -> None:
    others: list[str] = []
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        store.jotter.run_soon(note, "a", lambda: others.append("a"))
        store.jotter.run_soon(note, "b", lambda: others.append("b"))
        await asyncio.sleep(0)
        other.execute("COMMIT")
    assert others == ["a", "b"]
    await store.jotter.run(noting("c"))
    assert await notes(store) == ["c"]


async def test_work_that_fails_takes_nothing_with_it_that_nobody_waits_for(store: SqliteStore) -> None:
    def work(_database: sqlite3.Connection) -> None:
        raise ValueError

    others: list[str] = []
    store.jotter.run_soon(note, "a", lambda: others.append("a"))
    with pytest.raises(ValueError, match=r"^$"):
        await store.jotter.run(work)
    assert others == ["a"], "whosever fault it was"
    await store.jotter.run(noting("b"))
    assert await notes(store) == ["b"]


async def test_what_nobody_waits_for_and_fails_is_no_fault_of_what_comes_next(store: SqliteStore) -> None:
    def work(database: sqlite3.Connection, things: Sequence[int]) -> None:
        database.executemany("INSERT INTO notes VALUES (?)", [(thing,) for thing in things])

    others: list[str] = []
    store.jotter.run_soon(work, 2**63, lambda: others.append("too large"))
    assert await store.jotter.run(noting("b")) == "b"
    assert await notes(store) == ["b"]
    assert others == ["too large"]


async def test_what_nobody_waits_for_is_written_before_the_end(store: SqliteStore) -> None:
    store.jotter.run_soon(note, "a", _no_other)
    await store.aclose()
    with closing(sqlite3.connect(store.path)) as database:
        assert database.execute("SELECT said FROM notes").fetchall() == [("a",)]


async def test_those_who_ask_in_one_turn_share_a_transaction(store: SqliteStore) -> None:
    begun = transactions(store)
    asking = asyncio.gather(*(store.jotter.run_together(note, said) for said in "bc"))
    await asyncio.sleep(0)
    store.jotter.run_soon(note, "a", _no_other)
    await asking
    await store.jotter.run_together(note, "d")
    assert await notes(store) == ["a", "b", "c", "d"]
    assert len(begun) == 2


async def test_who_cannot_be_served_keeps_nobody_else_waiting(store: SqliteStore) -> None:
    def too_much(database: sqlite3.Connection, things: Sequence[str]) -> None:
        note(database, things)
        raise TooMuchToJot

    def fails(database: sqlite3.Connection, things: Sequence[str]) -> None:
        note(database, things)
        raise ValueError("a number that SQLite does not keep")

    begun = transactions(store)
    works = ((note, "a"), (too_much, "c"), (fails, "d"), (_twice, "e"), (note, "b"))
    asking = (store.jotter.run_together(work, thing) for work, thing in works)
    told = await asyncio.gather(*asking, return_exceptions=True)
    assert [type(each) for each in told] == [type(None), TooMuchToJot, NotNow, NotNow, type(None)]
    assert await notes(store) == ["a", "b"]
    assert len(begun) == 1


async def test_what_is_wanted_for_several_is_done_at_once(store: SqliteStore) -> None:
    done: list[list[str]] = []

    def work(database: sqlite3.Connection, things: Sequence[str]) -> None:
        done.append([*things])
        note(database, things)

    store.jotter.run_soon(work, "a", _no_other)
    store.jotter.run_soon(work, "b", _no_other)
    await asyncio.gather(*(store.jotter.run_together(work, said) for said in "cde"))
    assert done == [["a", "b"], ["c", "d", "e"]]
    assert await notes(store) == ["a", "b", "c", "d", "e"]


async def test_where_it_cannot_be_done_to_all_each_is_tried_alone(store: SqliteStore) -> None:
    done: list[list[str]] = []

    def work(database: sqlite3.Connection, things: Sequence[str]) -> None:
        done.append([*things])
        note(database, things)
        if "d" in things:
            raise TooMuchToJot

    begun = transactions(store)
    asking = (store.jotter.run_together(work, said) for said in "cde")
    told = await asyncio.gather(*asking, return_exceptions=True)
    assert [type(each) for each in told] == [type(None), TooMuchToJot, type(None)]
    assert done == [["c", "d", "e"], ["c"], ["d"], ["e"]]
    assert await notes(store) == ["c", "e"]
    assert len(begun) == 1


async def test_a_fault_of_one_is_told_to_the_loop_and_leaves_all_to_the_thread(store: SqliteStore) -> None:
    def fails(_database: sqlite3.Connection, _things: Sequence[str]) -> None:
        raise TypeError

    faults: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, fault: faults.append(fault))
    asking = (store.jotter.run_together(work, "a") for work in (note, fails))
    told = await asyncio.gather(*asking, return_exceptions=True)
    assert [type(each) for each in told] == [NotNow, NotNow]
    assert [type(fault["exception"]) for fault in faults] == [TypeError]
    assert await notes(store) == []


def _twice(database: sqlite3.Connection, _things: Sequence[str]) -> None:
    database.execute("CREATE TABLE once (said TEXT UNIQUE)")
    database.executemany("INSERT INTO once VALUES (?)", [("a",), ("a",)])


async def test_while_another_writes_those_who_ask_together_are_told_so(store: SqliteStore) -> None:
    others: list[str] = []
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        together = asyncio.gather(*(store.jotter.run_together(note, said) for said in "bc"), return_exceptions=True)
        await asyncio.sleep(0)
        store.jotter.run_soon(note, "a", lambda: others.append("a"))
        assert [type(each) for each in await together] == [NotNow, NotNow]
        other.execute("COMMIT")
    assert (others, await notes(store)) == (["a"], [])


async def test_what_nobody_waits_for_is_somebody_elses_though_all_who_wait_leave(store: SqliteStore) -> None:
    others: list[str] = []
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        leaving = asyncio.ensure_future(store.jotter.run_together(note, "b"))
        await asyncio.sleep(0)
        store.jotter.run_soon(note, "a", lambda: others.append("a"))
        asyncio.get_running_loop().call_soon(leaving.cancel)  # after it was told, and before it wakes
        with pytest.raises(asyncio.CancelledError):
            await leaving
        assert others == ["a"]


async def test_what_nobody_waits_for_is_written_though_who_waits_cannot_be_served(store: SqliteStore) -> None:
    def too_much(_database: sqlite3.Connection, _things: Sequence[str]) -> None:
        raise TooMuchToJot

    asking = asyncio.ensure_future(store.jotter.run_together(too_much, "b"))
    await asyncio.sleep(0)
    store.jotter.run_soon(note, "a", _no_other)
    with pytest.raises(TooMuchToJot):
        await asking
    assert await notes(store) == ["a"]


async def test_nothing_is_done_for_who_has_left(store: SqliteStore) -> None:
    staying, leaving = (asyncio.ensure_future(store.jotter.run_together(note, said)) for said in "ab")
    await asyncio.sleep(0)
    leaving.cancel()
    await staying
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert await notes(store) == ["a"]


async def test_who_asked_before_the_end_is_served(store: SqliteStore) -> None:
    asking = asyncio.ensure_future(store.jotter.run_together(note, "a"))
    await asyncio.sleep(0)
    await store.aclose()
    await asking
    with pytest.raises(NotNow):
        await store.jotter.run_together(note, "b")
    with closing(sqlite3.connect(store.path)) as database:
        assert database.execute("SELECT said FROM notes").fetchall() == [("a",)]


async def test_the_log_is_copied_into_the_file_now_and_then(store: SqliteStore) -> None:
    for _ in range(20):
        for _ in range(200):
            await store.jotter.run(noting("x" * 500))
        await asyncio.sleep(0)
        await store.writer.run(
            lambda _: None, in_transaction=False
        )  # the writing thread has done what it was asked before
    assert _size(f"{store.path}-wal") < 8_000_000
    assert len(await notes(store)) == 4_000


async def test_the_log_stays_short_while_calls_never_pause(store: SqliteStore) -> None:
    async def burst() -> int:
        for _ in range(20):
            await store.jotter.run(noting("x" * 3_000))
        await asyncio.sleep(0.001)  # the copying goes on meanwhile, and the next ones write into it
        return _size(f"{store.path}-wal")

    longest = max([await burst() for _ in range(600)])
    assert longest < 75_000_000, "half of what is written; on a machine with nothing else to do it is a tenth"
    async with asyncio.timeout(20):
        while await burst() > 12_000_000:  # it is cut again
            pass


def test_who_reads_for_long_does_not_make_those_wait_who_write(tmp_path: Path) -> None:
    path = tmp_path / "daehwa.db"
    with closing(open_file(path)) as writer, closing(open_reader(path)) as reader, closing(open_jotter(path)) as jotter:
        prepare_to_write(writer, path)
        writer.execute("CREATE TABLE notes (said TEXT)")
        asked: list[str] = []
        writer.set_trace_callback(asked.append)
        reader.execute("BEGIN").execute("SELECT count(*) FROM notes").fetchone()
        for _ in range(3_000):
            noting("x" * 3_000)(jotter)
        copy_log(writer)
        assert not [line for line in asked if "RESTART" in line], "it would wait for the reader, and they for it"
        reader.execute("COMMIT")
        copy_log(writer)
        assert [line for line in asked if "RESTART" in line]
        long = _size(f"{path}-wal")
        noting("x")(jotter)
        assert _size(f"{path}-wal") < long, "it has begun anew"


async def test_a_closed_one_writes_no_more(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "daehwa.db")
    await store.writer.run(lambda database: database.execute("CREATE TABLE notes (said TEXT)").fetchall())
    await store.jotter.run(noting("a"))
    await store.aclose()
    await store.aclose()
    with pytest.raises(StoreError):
        await store.jotter.run(noting("b"))
    with closing(sqlite3.connect(store.path)) as database:
        assert database.execute("SELECT said FROM notes").fetchall() == [("a",)]


_PROGRAM = """
import asyncio, os, signal, sys
from pathlib import Path
from daehwa.stores.sqlite import SqliteStore

async def main():
    store = await SqliteStore.open(Path(sys.argv[1]))
    await store.writer.run(lambda database: database.execute("CREATE TABLE notes (said TEXT)").fetchall())
    await store.jotter.run(lambda database: database.execute("INSERT INTO notes VALUES ('a')").fetchall())
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


async def test_what_a_killed_process_wrote_stays(tmp_path: Path) -> None:
    path = tmp_path / "daehwa.db"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", _PROGRAM, str(path), stderr=subprocess.DEVNULL)
    assert await asyncio.wait_for(process.wait(), 30) == -9
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT said FROM notes").fetchall() == [("a",)]


async def test_a_fault_of_what_nobody_waits_for_is_met_once(store: SqliteStore) -> None:
    def fails(_database: sqlite3.Connection, _things: Sequence[str]) -> None:
        raise TypeError

    left = list[str]()
    store.jotter.run_soon(fails, "b", lambda: left.append("fails"))
    store.jotter.run_soon(note, "a", lambda: left.append("a"))
    with pytest.raises(TypeError):
        store.jotter.run_now(noting("b"))
    assert left == ["fails", "a"]
    await store.jotter.run(noting("c"))
    assert await notes(store) == ["c"]
