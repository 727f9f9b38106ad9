"""What the SQLite store promises beyond the contract: crashes, two programs, damage, privacy, quiet."""
# ruff: noqa: ASYNC240 - small files

import asyncio
import contextlib
import os
import sqlite3
import stat
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from stores.asking import ME, ask, ended, found, grown, make_turn, titles

from daehwa.conversation.errors import ConversationNotFound, InvalidRequest, StoreError
from daehwa.conversation.ids import now_ms
from daehwa.conversation.ports import BegunTurn
from daehwa.gateway.ports import KeptAnswer
from daehwa.stores import sqlite_turns
from daehwa.stores.sqlite import SqliteStore
from daehwa.stores.sqlite_answers import SqliteAnswers
from daehwa.stores.sqlite_connection import open_file
from daehwa.stores.sqlite_migrations import migrate

TESTS = Path(__file__).parents[1]


def look(path: Path, sql: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def files_holding(folder: Path, words: bytes) -> list[str]:
    return [file.name for file in folder.iterdir() if words in file.read_bytes()]


def test_a_question_takes_no_more_steps_in_a_longer_conversation(tmp_path: Path) -> None:
    path = tmp_path / "daehwa.db"
    with contextlib.closing(open_file(path)) as connection:
        migrate(connection, path)
        begun = sqlite_turns.begin_turn(connection, make_turn("question " * 50))
        steps: list[int] = []
        for _ in range(150):
            sqlite_turns.finish_reply(connection, ended(begun.reply, "answer " * 50))
            home, parent = begun.conversation.id, begun.reply.id
            turn = make_turn("question " * 50, conversation=home, parent=parent, context_window=1000)
            steps.append(0)
            connection.set_progress_handler(lambda: steps.append(steps.pop() + 1), 1)
            begun = sqlite_turns.begin_turn(connection, turn)
            connection.set_progress_handler(None, 1)
    assert max(steps[100:]) < 1.5 * max(steps[:20])


async def test_what_is_said_is_text_in_the_file_however_it_came_there(tmp_path: Path) -> None:
    origin, path = await SqliteStore.open(tmp_path / "origin.db"), tmp_path / "daehwa.db"
    store = await SqliteStore.open(path)
    kinds = "SELECT DISTINCT typeof(parts), json_valid(parts) FROM messages"
    begun = await origin.begin_turn(make_turn("질문"))
    for write in (origin.save_checkpoints([grown(begun.reply, "반")]), origin.finish_reply(ended(begun.reply, "전부"))):
        (record,) = [record async for record in origin.export_conversations()]
        await store.import_conversation(record)
        assert look(path, kinds) == [("text", 1)]
        await write
        assert look(tmp_path / "origin.db", kinds) == [("text", 1)]
    (record,) = [record async for record in origin.export_conversations()]
    assert (await store.import_conversation(record)).outcome == "changed"
    assert look(path, kinds) == [("text", 1)]
    await origin.aclose()
    await store.aclose()


async def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "daehwa.db"
    writing = await asyncio.create_subprocess_exec(
        sys.executable,
        str(TESTS / "stores" / "writing.py"),
        str(path),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
    )
    assert writing.stdout is not None
    async with asyncio.timeout(30):
        acknowledged = [(await writing.stdout.readline()).decode().strip() for _ in range(200)]
        writing.kill()
        acknowledged += (await writing.stdout.read()).decode().split("\n")[:-1]
        await writing.wait()
    assert look(path, "PRAGMA integrity_check") == [("ok",)]
    store = await SqliteStore.open(path)
    for reply in acknowledged:
        message = await store.get_message(ME, reply)
        assert (message.status, message.text) == ("complete", "whole " * 500)
    assert await store.interrupt_replies(heartbeat_before=2**60) <= 8
    assert len(await found(store, "whole")) == 30
    await store.aclose()


async def test_two_programs_use_one_file(sqlite: SqliteStore) -> None:
    other = await SqliteStore.open(sqlite.path)
    turn = make_turn("shared")
    both = await asyncio.gather(*(store.begin_turn(turn) for store in [sqlite, other] * 10))
    assert sum(begun.created for begun in both) == 1
    await asyncio.gather(*(ask(store, f"from {n}") for n, store in enumerate([sqlite, other] * 10)))
    assert await titles(sqlite) == await titles(other)
    assert len(await titles(other)) == 21
    await sqlite.request_stop(ME, turn.reply.id)
    assert await other.save_checkpoints([grown(turn.reply, "a")]) == {turn.reply.id}
    await other.finish_reply(ended(turn.reply, "nightingale"))
    assert await found(sqlite, "nightingale") == ["shared"]
    await other.aclose()


async def test_no_sqlite_work_runs_on_the_event_loop_and_idle_threads_sleep(sqlite: SqliteStore) -> None:
    await ask(sqlite, "nightingale")
    await titles(sqlite)
    await found(sqlite, "nightingale")
    names = {thread.name.split("_")[0] for thread in threading.enumerate()}
    assert {"sqlite-writer", "sqlite-reader", "sqlite-search"} <= names
    assert any(_are_asleep() for _ in range(20)), "no polling, no timer"


def _are_asleep() -> bool:
    """Whether no other thread wakes for a while, in which the event loop is held still."""
    before = {task: _switches(task) for task in _tasks()}
    time.sleep(0.2)
    return {task: _switches(task) for task in before} == before


def _tasks() -> list[str]:
    own = str(threading.get_native_id())
    return [task for task in os.listdir("/proc/self/task") if task != own] if sys.platform == "linux" else []  # noqa: PTH208 - names alone


def _switches(task: str) -> str:
    status = Path(f"/proc/self/task/{task}/status").read_text("utf-8")
    return next(line for line in status.splitlines() if line.startswith("voluntary_ctxt_switches"))


async def test_a_search_and_a_write_do_not_wait_for_each_other(sqlite: SqliteStore) -> None:
    await ask(sqlite, "nightingale")
    entered, released = threading.Event(), threading.Event()

    def slow_search(_: sqlite3.Connection) -> None:
        entered.set()
        assert released.wait(10)

    searching = asyncio.create_task(sqlite._searcher.run(slow_search))
    await asyncio.to_thread(entered.wait, 10)
    async with asyncio.timeout(5):
        await ask(sqlite, "meanwhile")
        assert await titles(sqlite) == ["meanwhile", "nightingale"]
    released.set()
    await searching


async def test_many_writes_share_a_transaction_and_a_fault_fails_alone(sqlite: SqliteStore) -> None:
    def fail_in_the_middle(database: sqlite3.Connection) -> None:
        database.execute("UPDATE conversations SET title = 'spoilt'")
        database.execute("INSERT INTO messages (id) VALUES ('x')")

    def refuse_after_writing(database: sqlite3.Connection) -> None:
        database.execute("UPDATE conversations SET title = 'spoilt'")
        raise ConversationNotFound

    turns = [make_turn(f"q {n}") for n in range(10)]
    results = await asyncio.gather(
        *(sqlite.begin_turn(turn) for turn in turns[:5]),
        sqlite._writer.run(fail_in_the_middle),
        sqlite._writer.run(refuse_after_writing),
        *(sqlite.begin_turn(turn) for turn in turns[5:]),
        return_exceptions=True,
    )
    assert isinstance(results[5], StoreError)
    assert isinstance(results[6], ConversationNotFound)
    assert all(isinstance(result, BegunTurn) and result.created for result in results[:5] + results[7:])
    assert await titles(sqlite) == [f"q {n}" for n in reversed(range(10))]


async def test_a_caller_that_leaves_does_not_undo_its_write(sqlite: SqliteStore) -> None:
    turn = make_turn("left alone")
    leaving = asyncio.create_task(sqlite.begin_turn(turn))
    await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert not (await sqlite.begin_turn(turn)).created


async def test_nothing_of_a_purged_text_is_left_in_any_file(sqlite: SqliteStore) -> None:
    await ask(sqlite, "kept", "innocent words")
    canary = "zanzibarcanary 카나리아새소리"
    begun = await sqlite.begin_turn(make_turn(canary * 3, title=f"title {canary}"))
    for size in (10, 600, 1200, 90):
        await sqlite.save_checkpoints([grown(begun.reply, canary * size)])
    await sqlite.finish_reply(ended(begun.reply, canary * 100))
    marks = [word.encode() for word in ("zanzibarcanary", "zanzibar", "카나리아", "나리")]
    assert all(files_holding(sqlite.path.parent, mark) for mark in marks)
    await sqlite.delete_conversation(ME, begun.conversation.id)
    assert await sqlite.purge_deleted(before=now_ms() + 1000) == 1
    assert [files_holding(sqlite.path.parent, mark) for mark in marks] == [[], [], [], []]
    assert await found(sqlite, "innocent") == ["kept"]
    assert look(sqlite.path, "INSERT INTO message_index (message_index) VALUES ('integrity-check')") == []


async def test_a_purge_that_was_broken_off_goes_on_and_cannot_be_undone(sqlite: SqliteStore) -> None:
    name = (await ask(sqlite, "half gone")).conversation.id
    await sqlite.delete_conversation(ME, name)
    look_and_change(sqlite.path, "UPDATE conversations SET deleted = 0")
    with pytest.raises(ConversationNotFound):
        await sqlite.restore_conversation(ME, name)
    assert await sqlite.purge_deleted(before=1) == 1


def look_and_change(path: Path, sql: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(sql)
    connection.commit()
    connection.close()


async def test_files_are_their_owners_alone(sqlite: SqliteStore) -> None:
    await ask(sqlite, "private")
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in sqlite.path.parent.iterdir()}
    assert modes == {"daehwa.db": 0o600, "daehwa.db-wal": 0o600, "daehwa.db-shm": 0o600}


async def test_the_log_is_gone_after_closing(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "daehwa.db")
    await ask(store, "kept")
    await store.aclose()
    assert [file.name for file in tmp_path.iterdir()] == ["daehwa.db"]
    with pytest.raises(StoreError, match="closed"):
        await store.list_conversations(ME)
    with pytest.raises(StoreError, match="closed"):
        await store.begin_turn(make_turn())


async def test_settings_that_durability_and_safety_need_are_on(sqlite: SqliteStore) -> None:
    names = ("journal_mode", "synchronous", "foreign_keys", "secure_delete", "trusted_schema", "cell_size_check")

    def values(database: sqlite3.Connection) -> list[object]:
        return [database.execute(f"PRAGMA {name}").fetchone()[0] for name in names]

    assert await sqlite._writer.run(values, in_transaction=False) == ["wal", 2, 1, 1, 0, 1]
    with pytest.raises(StoreError):
        await sqlite._reader.run(lambda database: database.execute("DELETE FROM messages"))


async def test_half_a_surrogate_pair_in_an_id_is_refused(sqlite: SqliteStore) -> None:
    with pytest.raises(InvalidRequest):
        await sqlite.get_message(ME, "\ud800")


async def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"nowhere.*check that its folder exists"):
        await SqliteStore.open(tmp_path / "nowhere" / "daehwa.db")


async def test_what_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "daehwa.db"
    path.write_bytes(b"These are my notes. " * 500)
    with pytest.raises(StoreError, match="not a database"):
        await SqliteStore.open(path)
    assert path.read_bytes() == b"These are my notes. " * 500


async def test_the_database_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "daehwa.db"
    look_and_change(path, "CREATE TABLE notes (text)")
    before = path.read_bytes()
    with pytest.raises(StoreError, match="another program"):
        await SqliteStore.open(path)
    assert path.read_bytes() == before


async def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "daehwa.db"
    store = await SqliteStore.open(path)
    for n in range(50):
        await ask(store, f"{n} " * 500)
    await store.aclose()
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(StoreError, match="damaged"):
        await (await SqliteStore.open(path)).list_conversations(ME)


def _without_log(path: Path) -> None:
    path.with_name(f"{path.name}-wal").unlink()


def _another_in_its_place(path: Path) -> None:
    copy = path.with_name("copy")
    copy.write_bytes(path.read_bytes())
    copy.replace(path)


@pytest.mark.skipif(sys.platform == "win32", reason="there, no file that is open can be removed")
@pytest.mark.parametrize("done", [Path.unlink, _without_log, _another_in_its_place])
async def test_nobody_is_told_that_what_is_written_to_a_removed_file_is_kept(
    sqlite: SqliteStore, done: Callable[[Path], None]
) -> None:
    await sqlite.begin_turn(make_turn())
    done(sqlite.path)
    for _ in range(2):
        with pytest.raises(StoreError, match="removed or replaced while daehwa ran") as raised:
            await sqlite.begin_turn(make_turn())
        assert str(sqlite.path) not in raised.value.told


async def test_a_locked_file_is_told_and_works_again_when_it_is_free(sqlite: SqliteStore) -> None:
    await sqlite._writer.run(lambda database: database.execute("PRAGMA busy_timeout = 50"), in_transaction=False)
    other = sqlite3.connect(sqlite.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    results = await asyncio.gather(*(sqlite.begin_turn(make_turn()) for _ in range(3)), return_exceptions=True)
    assert all(isinstance(result, StoreError) and "locked" in result.message for result in results)
    other.execute("ROLLBACK")
    other.close()
    assert (await sqlite.begin_turn(make_turn())).created


async def test_a_full_disk_is_told_and_nothing_is_half_written(sqlite: SqliteStore) -> None:
    await ask(sqlite, "kept")
    pages = look(sqlite.path, "PRAGMA page_count")[0][0]
    assert isinstance(pages, int)
    await sqlite._writer.run(
        lambda database: database.execute(f"PRAGMA max_page_count = {pages + 8}").fetchall(), in_transaction=False
    )
    small, large = make_turn("small"), make_turn("large " * 20_000)
    results = await asyncio.gather(sqlite.begin_turn(small), sqlite.begin_turn(large), return_exceptions=True)
    assert isinstance(results[0], BegunTurn)
    assert isinstance(results[1], StoreError)
    assert "disk is full" in results[1].message
    await sqlite._writer.run(
        lambda database: database.execute("PRAGMA max_page_count = 1000000").fetchall(), in_transaction=False
    )
    assert await titles(sqlite) == ["small", "kept"]
    assert (await sqlite.begin_turn(large)).created


async def test_who_waits_for_a_server_that_is_gone_waits_no_more(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "daehwa.sqlite3")
    answers = SqliteAnswers(store)
    kept = KeptAnswer(status=200, headers=(), body=b"{}")
    assert await answers.claim("mina", "done", "f", now=1) == "new"
    await answers.keep("mina", "done", kept, began=1, now=1)
    assert await answers.claim("mina", "cut", "f", now=1) == "new"
    assert await answers.claim("mina", "cut", "f", now=2) == "running"
    await answers.release_leftovers()
    assert await answers.claim("mina", "cut", "f", now=2) == "new"
    assert await answers.claim("mina", "done", "f", now=2) == kept
    await store.aclose()
