"""One server at a time holds the folder, and nobody changes its file under a running one."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli.conftest import Program
from stores.asking import ask
from stores.test_sqlite_migrations import load

from daehwa.data_folder import DATABASE, LOCK, DataFolder, DataFolderError
from daehwa.services.database import put_back, take_copy
from daehwa.stores.sqlite import SqliteStore

_HOLDER = """
import sys
from pathlib import Path
from daehwa.data_folder import DataFolder
folder = DataFolder(Path(sys.argv[1]))
folder.prepare()
folder.hold()
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that holds the folder `data`, as a server does."""
    program = [sys.executable, "-c", _HOLDER, str(tmp_path / "data")]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:  # noqa: S603 - this Python
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


def a_folder(path: Path) -> DataFolder:
    folder = DataFolder(path)
    folder.prepare()
    return folder


def test_a_free_folder_is_held_while_its_file_changes(tmp_path: Path) -> None:
    folder, other = a_folder(tmp_path), a_folder(tmp_path)
    with folder.held_to_migrate():
        assert other.is_held()
        with pytest.raises(DataFolderError, match=f"process {os.getpid()}"), other.held_to_migrate():
            pass
    assert not other.is_held()


@pytest.mark.usefixtures("holder")
def test_a_lock_that_was_removed_lets_nobody_else_in(tmp_path: Path) -> None:
    (tmp_path / "data" / LOCK).unlink()
    assert DataFolder(tmp_path / "data").is_held()
    folder = a_folder(tmp_path / "data")  # and makes another one
    assert folder.is_held()
    for _ in range(2):
        with pytest.raises(DataFolderError, match="is in use by another daehwa"):
            folder.hold()
    with pytest.raises(DataFolderError, match="is in use by an older daehwa"), folder.held_to_migrate():
        pass


def test_a_folder_that_was_let_go_is_free_for_others(tmp_path: Path) -> None:
    folder = a_folder(tmp_path)
    folder.hold()
    (tmp_path / LOCK).unlink()
    folder.release()
    other = a_folder(tmp_path)
    other.hold()
    assert other.holder() == os.getpid()
    other.release()
    assert not folder.is_held()


def test_who_holds_the_folder_changes_its_file_and_holds_on(tmp_path: Path) -> None:
    folder, other = a_folder(tmp_path), a_folder(tmp_path)
    folder.hold()
    with folder.held_to_migrate():
        pass
    assert other.is_held()
    folder.release()


def test_who_holds_the_folder_notes_where_it_can_be_asked(tmp_path: Path) -> None:
    folder, other = a_folder(tmp_path), a_folder(tmp_path)
    other.note_address("http://127.0.0.1:1")
    assert other.address() is None, "it does not hold the folder"
    folder.hold()
    assert (other.holder(), other.address()) == (os.getpid(), None)
    folder.note_address("http://127.0.0.1:12345", "a-word")
    assert (other.holder(), other.address(), other.word()) == (os.getpid(), "http://127.0.0.1:12345", "a-word")
    assert other.is_held()
    if sys.platform != "win32":
        assert (tmp_path / LOCK).stat().st_mode & 0o077 == 0
    folder.release()
    other.hold()
    assert (other.address(), other.word()) == (None, None), "the next one begins anew"
    other.release()


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are told otherwise there")
def test_what_is_noted_is_the_owners_alone_also_where_the_lock_was_open(tmp_path: Path) -> None:
    (tmp_path / LOCK).touch()
    (tmp_path / LOCK).chmod(0o644)
    a_folder(tmp_path)
    assert (tmp_path / LOCK).stat().st_mode & 0o077 == 0


@pytest.mark.skipif(sys.platform == "win32", reason="a link takes a right there that few have")
async def test_a_database_may_lie_elsewhere_by_a_link_and_is_kept_and_replaced_there(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "data").mkdir()
    load(tmp_path / "disk" / "file", 1)
    (tmp_path / "data" / DATABASE).symlink_to("../disk/file")
    folder = a_folder(tmp_path / "data")
    store = await SqliteStore.open(folder.database)
    await ask(store, "old", "answer")
    copy = take_copy(folder.database, tmp_path / "copy")
    await ask(store, "new", "answer")
    assert (tmp_path / "disk" / "file-wal").stat().st_size
    assert not store.is_misplaced()
    in_use = {path.name: path.read_bytes() for path in (tmp_path / "disk").glob("file*")}
    await store.aclose()
    for name, held in in_use.items():  # as a crash leaves it
        (tmp_path / "disk" / name).write_bytes(held)
    (tmp_path / "link").symlink_to("disk/file")
    told = put_back(tmp_path / "link", tmp_path / "from a link.sqlite3")
    put = put_back(tmp_path / "copy", folder.database)
    assert copy
    assert put.kept is not None
    assert (told.conversations, put.conversations, put.kept.parent) == (3, 2, tmp_path / "disk")
    assert (tmp_path / "data" / DATABASE).is_symlink()


@pytest.mark.skipif(sys.platform == "win32", reason="a link takes a right there that few have")
def test_no_new_database_is_begun_where_a_link_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / DATABASE).symlink_to("disk/file")
    with pytest.raises(DataFolderError, match="is a link to disk/file, where nothing is"):
        a_folder(tmp_path)
    assert not list((tmp_path / "disk").iterdir())


async def test_a_question_never_changes_the_file_of_a_running_server(
    program: Program, holder: subprocess.Popen[bytes]
) -> None:
    database = load(program.data / DATABASE, 1)
    before = database.read_bytes()
    ended = await program.run("ask", "Hello?", OPENAI_API_KEY="k", OPENAI_BASE_URL="http://127.0.0.1:9/v1")
    assert ended.code != 0
    assert f"is in use by an older daehwa (process {holder.pid})" in ended.err
    assert "End that one" in ended.err
    assert database.read_bytes() == before
    assert not list(program.data.glob("*.backup*"))
