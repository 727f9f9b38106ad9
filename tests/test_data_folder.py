"""One server at a time holds the folder, and nobody changes its file under a running one."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli.conftest import Program
from stores.test_sqlite_migrations import load

from daehwa.data_folder import DATABASE, LOCK, DataFolder, DataFolderError

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
