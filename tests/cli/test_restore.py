"""`daehwa restore`: a copy of the database is put back, whatever lies beside the file that was there."""
# ruff: noqa: ASYNC240 - small files

import errno
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from cli.conftest import Program
from stores.asking import ask

from daehwa.cli.terminal import FAULT, MISUSE
from daehwa.conversation.errors import StoreError
from daehwa.data_folder import DataFolder
from daehwa.services.database import put_back
from daehwa.services.local import OWNER
from daehwa.stores.sqlite import SqliteStore

SCHEMAS = Path(__file__).parents[1] / "stores" / "schema"


@pytest.fixture
async def copied(program: Program) -> Path:
    """Return a copy of a database with two conversations, whose place holds a later state with its log beside it."""
    folder = DataFolder(program.data)
    folder.prepare()
    store = await SqliteStore.open(folder.database)
    for question in ("old one", "old two"):
        await ask(store, question, "answer", owner=OWNER)
    await store.aclose()
    copy = program.folder / "copy.sqlite3"
    shutil.copy(folder.database, copy)
    store = await SqliteStore.open(folder.database)
    for number in range(60):
        await ask(store, f"new {number}", "answer " * 50, owner=OWNER)
    beside = {ending: Path(f"{folder.database}{ending}").read_bytes() for ending in ("", "-wal")}
    await store.aclose()
    for ending, held in beside.items():  # as a crash leaves it
        Path(f"{folder.database}{ending}").write_bytes(held)
    return copy


def questions(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        count: int = connection.execute("SELECT count(*) FROM conversations").fetchone()[0]
    return count


async def test_a_copy_is_put_back_beside_a_log_that_is_not_its_own(program: Program, copied: Path) -> None:
    ended = await program.run("restore", copied.name)
    assert ended.code == 0, ended.err
    assert f"{copied.name} is put back into {program.data}: 2 conversations, the last used on " in ended.err
    files = {file.name for file in program.data.iterdir()}
    (kept,) = (name for name in files if name.startswith("daehwa.replaced.") and name.endswith(".sqlite3"))
    assert f"is kept as {kept}, with its log" in ended.err
    assert files == {"daehwa.lock", "daehwa.sqlite3", kept, f"{kept}-wal"}
    assert questions(program.data / "daehwa.sqlite3") == 2
    assert questions(program.data / kept) == 62, "with what was in its log only"


async def test_what_was_kept_can_be_put_back_in_turn(program: Program, copied: Path) -> None:
    await program.run("restore", copied.name)
    (kept,) = program.data.glob("daehwa.replaced.*.sqlite3")
    ended = await program.run("restore", str(kept))
    assert ended.code == 0, ended.err
    assert questions(program.data / "daehwa.sqlite3") == 62


async def test_a_copy_is_put_back_where_nothing_is(program: Program, copied: Path) -> None:
    ended = await program.run("restore", copied.name, "--data-dir", "elsewhere")
    assert ended.code == 0, ended.err
    assert "kept" not in ended.err
    assert {file.name for file in (program.folder / "elsewhere").iterdir()} == {"daehwa.lock", "daehwa.sqlite3"}


async def test_sessions_of_a_copy_end_and_what_else_comes_back_is_said(program: Program, copied: Path) -> None:
    with closing(sqlite3.connect(copied)) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("INSERT INTO sessions (id, user, created, expires) VALUES ('hash', 'somebody', 1, 2)")
        connection.commit()
    ended = await program.run("restore", copied.name)
    assert ended.code == 0, ended.err
    assert "Everybody has to sign in again." in ended.err
    assert "keys that were revoked" in ended.err
    for path, sessions in ((program.data / "daehwa.sqlite3", 0), (copied, 1)):
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("SELECT count(*) FROM sessions").fetchone() == (sessions,)


async def test_a_conversation_of_a_year_that_no_calendar_has_is_put_back_and_told(
    program: Program, copied: Path
) -> None:
    with closing(sqlite3.connect(copied)) as connection:
        connection.execute("UPDATE conversations SET updated = ?", (2**53,))  # an import takes as much
        connection.commit()
    ended = await program.run("restore", copied.name)
    assert ended.code == 0, ended.err
    assert "2 conversations, the last used on 9999-12-31 23:59 UTC" in ended.err
    assert "is kept as daehwa.replaced." in ended.err


async def test_the_copy_that_a_migration_leaves_is_told_once(program: Program) -> None:
    folder = DataFolder(program.data)
    folder.prepare()
    with closing(sqlite3.connect(folder.database)) as connection:
        connection.executescript((SCHEMAS / "0001.sql").read_text("utf-8"))
    first = await program.run("export", "-")
    (kept,) = folder.path.glob("*.backup.sqlite3")
    assert first.code == 0
    assert f"A copy of it as it was is kept: '{kept}'." in first.err
    assert "is kept" not in (await program.run("export", "-")).err


async def test_a_copy_of_the_oldest_schema_has_no_sessions_to_end(program: Program) -> None:
    oldest = program.folder / "oldest"
    with closing(sqlite3.connect(oldest)) as connection:
        connection.executescript((SCHEMAS / "0001.sql").read_text("utf-8"))
    ended = await program.run("restore", oldest.name)
    assert ended.code == 0, ended.err


async def test_what_a_killed_restore_left_can_be_put_back_and_stays(program: Program, copied: Path) -> None:
    left = program.data / "daehwa.sqlite3.part"
    shutil.copy(copied, left)
    held = left.read_bytes()
    ended = await program.run("restore", str(left))
    assert ended.code == 0, ended.err
    assert left.read_bytes() == held
    assert questions(program.data / "daehwa.sqlite3") == 2
    assert [file.name for file in program.data.glob("*.part")] == [left.name]


async def test_where_the_last_step_fails_the_file_has_its_log_again(program: Program, copied: Path) -> None:
    def fail(_part: Path, _database: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    before = {file.name: file.read_bytes() for file in program.data.iterdir()}
    with pytest.raises(StoreError, match="cannot be put back: Input/output error"):
        put_back(copied, program.data / "daehwa.sqlite3", give_place=fail)
    assert {file.name: file.read_bytes() for file in program.data.iterdir()} == before
    assert questions(program.data / "daehwa.sqlite3") == 62, "with what is in its log only"


async def test_a_copy_that_has_the_place_gets_no_other_log(program: Program, copied: Path) -> None:
    def fail_late(part: Path, database: Path) -> None:
        part.replace(database)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        put_back(copied, program.data / "daehwa.sqlite3", give_place=fail_late)
    (kept,) = program.data.glob("daehwa.replaced.*.sqlite3")
    assert questions(program.data / "daehwa.sqlite3") == 2
    assert questions(kept) == 62


async def test_what_is_no_copy_is_refused_and_nothing_is_changed(program: Program, copied: Path) -> None:
    before = {file.name: file.read_bytes() for file in program.data.glob("daehwa.sqlite3*")}
    damaged, newer, other = (program.folder / name for name in ("damaged", "newer", "other"))
    whole = copied.read_bytes()
    damaged.write_bytes(whole[:8192] + bytes(8192) + whole[16384:])
    shutil.copy(copied, newer)
    for path, statement in ((newer, "PRAGMA user_version = 9999"), (other, "CREATE TABLE bookmarks (address)")):
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(statement)
            connection.commit()
    text = program.folder / "text"
    text.write_text("This is no database at all. " * 100)
    for name, sentence in (
        ("damaged", "is not a sound database"),
        ("text", "is not a sound database"),
        ("newer", "was written by a newer daehwa"),
        ("other", "is not a database of daehwa"),
        (str(program.data / "daehwa.sqlite3"), "is the database itself"),
        ("nowhere", "There is no file nowhere"),
    ):
        ended = await program.run("restore", name)
        assert (ended.code, ended.out) == (MISUSE, ""), ended.err
        assert sentence in ended.err
    assert (await program.run("restore", "nowhere", "--data-dir", "typo")).code == MISUSE
    assert not (program.folder / "typo").exists()
    assert {file.name: file.read_bytes() for file in program.data.glob("*sqlite3*")} == before


async def test_a_copy_whose_log_cannot_be_read_where_it_is_is_not_called_damaged(
    program: Program, copied: Path
) -> None:
    for ending in ("", "-wal"):
        shutil.copy(f"{program.data / 'daehwa.sqlite3'}{ending}", f"{copied}{ending}")
    Path(f"{copied}-shm").symlink_to("nowhere/shm")  # nor can SQLite make one in a folder that is read only
    ended = await program.run("restore", copied.name)
    assert ended.code == FAULT
    assert "Copy both into a folder of yours, and name the file there. Nothing was changed." in ended.err
    Path(f"{copied}-shm").unlink()
    assert (await program.run("restore", copied.name)).code == 0
    assert questions(program.data / "daehwa.sqlite3") == 62


async def test_a_folder_in_use_is_left_alone(program: Program, copied: Path) -> None:
    folder = DataFolder(program.data)
    folder.hold()
    try:
        ended = await program.run("restore", copied.name)
    finally:
        folder.release()
    assert ended.code == FAULT
    assert "is in use by another daehwa" in ended.err


async def test_a_database_that_a_command_has_open_is_left_alone(program: Program, copied: Path) -> None:
    with closing(sqlite3.connect(program.data / "daehwa.sqlite3")) as connection:
        connection.execute("SELECT count(*) FROM conversations").fetchone()
        ended = await program.run("restore", copied.name)
    assert ended.code == FAULT
    assert "is open in another program" in ended.err
    assert not list(program.data.glob("*replaced*"))


async def test_a_damaged_database_names_the_command(program: Program, copied: Path) -> None:
    path = program.data / "daehwa.sqlite3"
    shutil.copy(copied, path)
    Path(f"{path}-wal").unlink()
    held = path.read_bytes()
    path.write_bytes(held[:4096] + bytes(len(held) - 4096))
    ended = await program.run("export", "-")
    assert ended.code == FAULT
    assert "restore FILE`, which moves away the log beside it" in ended.err
