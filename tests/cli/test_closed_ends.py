"""What a command says where its output is closed or full, or a name cannot be: one paragraph, never a traceback."""

import asyncio
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from cli.conftest import LIMIT_SECONDS, PROGRAM, Ended, Program
from stores.asking import ask

from daehwa.cli.terminal import FAULT, MISUSE
from daehwa.data_folder import DataFolder
from daehwa.services.local import OWNER
from daehwa.stores.sqlite import SqliteStore

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it needs a shell and /dev/full")


async def typed(program: Program, arguments: str, redirected: str) -> Ended:
    """Run the program as a shell does that was told where its ends lead."""
    line = f"exec {shlex.join(PROGRAM)} {arguments} {redirected}"
    pipe = asyncio.subprocess.PIPE
    environment = program.environment()
    process = await asyncio.create_subprocess_shell(
        line, cwd=program.folder, env=environment, stdin=pipe, stdout=pipe, stderr=pipe, executable="/bin/bash"
    )
    out, err = await asyncio.wait_for(process.communicate(), LIMIT_SECONDS)
    return Ended(process.returncode or 0, out.decode(), err.decode())


@pytest.fixture
async def talkative(program: Program) -> Program:
    folder = DataFolder(program.data)
    folder.prepare()
    store = await SqliteStore.open(folder.database)
    await ask(store, "What is a tree?", "A plant. " * 9000, owner=OWNER)
    await store.aclose()
    return program


def is_a_paragraph(err: str) -> bool:
    return len(err.splitlines()) == 1 and "fault in the program" not in err and "Traceback" not in err


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            "OSError(errno.ENOSPC, 'No space left on device')",
            "what it writes cannot be written: No space left on device",
        ),
        ("PermissionError(errno.EACCES, 'Permission denied', 'notes')", "notes cannot be used: Permission denied"),
        ("OSError(errno.EINVAL, 'Invalid argument')", "this is a fault in the program itself (OSError"),
        ("OSError('nothing known')", "this is a fault in the program itself (OSError: nothing known)"),
    ],
)
def test_only_what_the_disk_refuses_is_called_so(error: str, sentence: str) -> None:
    script = (
        "import errno, sys\nfrom daehwa.cli.terminal import run_command\n"
        f"def fail():\n    raise {error}\nsys.exit(run_command(fail))"
    )
    ended = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert ended.returncode == FAULT
    assert sentence in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "redirected", "code", "sentence"),
    [
        ("export -", ">&-", MISUSE, "Standard output is closed"),
        ("export -", ">/dev/full", FAULT, "No space left on device"),
        ("import -", "<&-", MISUSE, "Standard input is closed"),
        ("doctor", ">/dev/full", FAULT, "No space left on device"),
        ("key create mine", ">&-", MISUSE, "Standard output is closed"),
        ("key list", ">&-", MISUSE, "Standard output is closed"),
        ("user list", ">&-", MISUSE, "Standard output is closed"),
        ("user invite", ">&-", MISUSE, "Standard output is closed"),
        ("user reset somebody", ">&-", MISUSE, "Standard output is closed"),
        ("usage", ">&-", MISUSE, "Standard output is closed"),
        ("ask 'What is a tree?'", ">&-", MISUSE, "Standard output is closed"),
        ("usage --csv", ">/dev/full", FAULT, "No space left on device"),
        ("backup -", "", MISUSE, "A copy of the database is a file, and no stream"),
        ("serve --port 0", ">/dev/full", FAULT, "No space left on device"),
        (f"import {'a' * 300}", "", MISUSE, "cannot be the name of a file"),
        (f"export {'a' * 300}", "", MISUSE, "cannot be the name of a file"),
        (f"backup {'a' * 300}", "", MISUSE, "cannot be the name of a file"),
        (f"export {'a' * 253}", "", MISUSE, "cannot be written: File name too long"),
        ("export daehwa.lock/x", "", MISUSE, "cannot be written"),
        ("import .", "", MISUSE, "is a directory"),
        (f"doctor --data-dir {'a' * 300}", "", MISUSE, "cannot be the path of anything here"),
    ],
)
async def test_it_is_said_in_a_paragraph(
    talkative: Program, arguments: str, redirected: str, code: int, sentence: str
) -> None:
    (talkative.folder / "daehwa.lock").touch()
    ended = await typed(talkative, arguments, redirected)
    assert ended.code == code, ended.err
    assert sentence in ended.err
    assert is_a_paragraph(ended.err) or "Usage:" in ended.err
    assert [path.name for path in talkative.folder.glob("*.part")] == []


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        *(("backup copy.sqlite3", 0), ("export all.jsonl", 0), ("key list", 0), ("key revoke none", MISUSE)),
        ("key list --no-such", MISUSE),
    ],
)
async def test_where_nobody_can_be_told_the_code_says_it(talkative: Program, arguments: str, code: int) -> None:
    for redirected in ("2>&-", "2>/dev/full", "2> >(true)", "<&- >/dev/null 2>&-"):
        ended = await typed(talkative, arguments, redirected)
        assert (ended.code, ended.err) == (code, ""), redirected
        for made in ("copy.sqlite3", "all.jsonl"):
            (talkative.folder / made).unlink(missing_ok=True)


async def test_a_letter_that_the_terminal_has_not_is_written_as_its_number(talkative: Program) -> None:
    await talkative.run("key", "create", "노트북")
    for typed, told in (
        (("key", "list"), r"\ub178\ud2b8\ubd81  owner"),
        (("key", "list", "--json"), r'"\ub178\ud2b8\ubd81"'),
    ):
        ended = await talkative.run(*typed, PYTHONIOENCODING="latin-1")
        assert (ended.code, ended.err) == (0, "")
        assert told in ended.out


async def test_a_key_whose_text_could_not_be_written_is_good_for_nothing(talkative: Program) -> None:
    ended = await typed(talkative, "key create mine", ">/dev/full")
    assert ended.code == FAULT
    assert "is revoked again: its text could not be written" in ended.err
    listed = json.loads((await talkative.run("key", "list", "--all", "--json")).out)["keys"]
    assert [key["revoked"] is not None for key in listed] == [True]
    closed = await typed(talkative, "key create other", ">&-")
    assert closed.code == MISUSE
    assert len(json.loads((await talkative.run("key", "list", "--all", "--json")).out)["keys"]) == 1


async def test_an_export_is_read_from_a_pipe_as_well(talkative: Program, tmp_path: Path) -> None:
    await talkative.run("export", "all.jsonl")
    came = await typed(talkative, "import --data-dir other <(cat all.jsonl)", "")
    assert came.code == 0, came.err
    assert "1 added" in came.err
    os.mkfifo(tmp_path / "pipe")
    reading = asyncio.create_task(talkative.run("import", "pipe", "--data-dir", "third"))
    copied = await asyncio.create_subprocess_shell("cat all.jsonl > pipe", cwd=tmp_path)
    assert await copied.wait() == 0
    assert "1 added" in (await reading).err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("backup copy.sqlite3", "'copy.sqlite3' cannot be written: Input/output error. Give another name or make room"),
        ("restore whole.sqlite3 --data-dir other", "'whole.sqlite3' cannot be put back: Input/output error. Make room"),
    ],
)
async def test_a_copy_that_finds_no_room_blames_the_place_it_was_to_have(
    talkative: Program, arguments: str, told: str
) -> None:
    await talkative.run("backup", "whole.sqlite3")
    line = f"ulimit -f 100; exec {shlex.join(PROGRAM)} {arguments}"  # the database has more than these 100 KB
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_shell(
        line, cwd=talkative.folder, env=talkative.environment(), stdout=pipe, stderr=pipe, executable="/bin/bash"
    )
    _, err = await asyncio.wait_for(process.communicate(), LIMIT_SECONDS)
    assert process.returncode == FAULT
    assert told in err.decode()
    assert is_a_paragraph(err.decode())
    assert list(talkative.folder.rglob("*.part")) == []


async def test_an_export_that_finds_no_room_was_kept_from_its_work(talkative: Program) -> None:
    line = f"ulimit -f 64; exec {shlex.join(PROGRAM)} export all.jsonl"  # it would have 80 KB
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_shell(
        line, cwd=talkative.folder, env=talkative.environment(), stdout=pipe, stderr=pipe, executable="/bin/bash"
    )
    _, err = await asyncio.wait_for(process.communicate(), LIMIT_SECONDS)
    assert process.returncode == FAULT
    assert "all.jsonl cannot be written: File too large. Make room" in err.decode()
    assert is_a_paragraph(err.decode())
    assert list(talkative.folder.glob("all.jsonl*")) == []


async def test_a_first_start_without_any_room_is_told(program: Program) -> None:
    line = f"ulimit -f 0; exec {shlex.join(PROGRAM)} serve --no-open --port 0"  # no file may have a single byte
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_shell(
        line, cwd=program.folder, env=program.environment(), stdout=pipe, stderr=pipe, executable="/bin/bash"
    )
    out, err = await asyncio.wait_for(process.communicate(), LIMIT_SECONDS)
    assert process.returncode == FAULT, out
    assert "Conversations are kept in" in err.decode()
    assert is_a_paragraph(err.decode())
