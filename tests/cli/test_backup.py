"""`daehwa backup`: a copy is taken while a server runs, and can be put back."""

import sqlite3
from contextlib import closing
from pathlib import Path

from cli.conftest import Program
from stores.asking import ask

from daehwa.cli.terminal import FAULT, MISUSE
from daehwa.data_folder import DataFolder
from daehwa.services.local import OWNER
from daehwa.stores.sqlite import SqliteStore

SCHEMAS = Path(__file__).parents[1] / "stores" / "schema"


async def opened(program: Program) -> SqliteStore:
    folder = DataFolder(program.data)
    folder.prepare()
    return await SqliteStore.open(folder.database)


async def test_a_copy_is_taken_beside_a_running_server_and_put_back(program: Program) -> None:
    store = await opened(program)
    await ask(store, "kept in the log", "answer", owner=OWNER)  # the file itself does not hold it yet
    ended = await program.run("backup", "copy.sqlite3")
    await store.aclose()
    assert ended.code == 0, ended.err
    assert "copied into copy.sqlite3" in ended.err
    copy = program.folder / "copy.sqlite3"
    assert copy.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in program.folder.iterdir() if file.name.startswith("copy")] == ["copy.sqlite3"]
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT count(*) FROM conversations").fetchone() == (1,)
    back = await program.run("restore", "copy.sqlite3")
    assert "1 conversation, the last used on" in back.err


async def test_what_lies_beside_a_copy_stays_and_opens_it_to_nobody(program: Program) -> None:
    await (await opened(program)).aclose()
    beside = program.folder / "copy.sqlite3.part"
    beside.write_text("somebody else's")
    beside.chmod(0o644)
    assert (await program.run("backup", "copy.sqlite3")).code == 0
    assert beside.read_text() == "somebody else's"
    assert (program.folder / "copy.sqlite3").stat().st_mode & 0o777 == 0o600


async def test_a_database_of_an_older_version_is_copied_as_it_is(program: Program) -> None:
    folder = DataFolder(program.data)
    folder.prepare()
    with closing(sqlite3.connect(folder.database)) as connection:
        connection.executescript((SCHEMAS / "0001.sql").read_text("utf-8"))
    assert (await program.run("backup", "copy.sqlite3")).code == 0
    for path in (folder.database, program.folder / "copy.sqlite3"):
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA user_version").fetchone() == (1,)


async def test_where_no_server_runs_nothing_is_left_beside_the_database(program: Program) -> None:
    await (await opened(program)).aclose()
    before = {file.name for file in program.data.iterdir()}
    for command in (("backup", "copy.sqlite3"), ("doctor",)):
        assert (await program.run(*command)).code == 0
        assert {file.name for file in program.data.iterdir() if "checked" not in file.name} == before


async def test_what_cannot_be_copied_is_said(program: Program) -> None:
    nothing = await program.run("backup", "copy.sqlite3")
    assert nothing.code == MISUSE
    assert "There is no data in" in nothing.err
    await (await opened(program)).aclose()
    (program.folder / "there").touch()
    assert "is there already" in (await program.run("backup", "there")).err
    nowhere = await program.run("backup", "no/such/folder")
    assert nowhere.code == FAULT
    assert "cannot be written: No such file or directory" in nowhere.err
    database = DataFolder(program.data).database
    database.write_bytes(database.read_bytes()[:8192] + b"\1" * 60_000)
    damaged = await program.run("backup", "copy.sqlite3")
    assert damaged.code == FAULT
    assert "It is damaged" in damaged.err
    assert not (program.folder / "copy.sqlite3").exists()
