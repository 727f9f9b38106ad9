"""`daehwa export` and `daehwa import`, as a person types them, between two data folders."""

import contextlib
import json
import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cli.conftest import Program
from stores.asking import ask

from daehwa.accounts.people import Profile
from daehwa.cli.terminal import FAULT, MISUSE
from daehwa.cli.transfer import _new_file
from daehwa.conversation.errors import StoreError
from daehwa.data_folder import DataFolder
from daehwa.services.local import OWNER
from daehwa.stores.sqlite import SqliteStore
from daehwa.stores.sqlite_accounts import SqliteAccounts


@pytest.fixture
async def talkative(program: Program) -> Program:
    folder = DataFolder(program.data)
    folder.prepare()
    store = await SqliteStore.open(folder.database)
    for question in ("What is a tree?", "나무란 무엇인가?"):
        await ask(store, question, "A plant, 식물.", owner=OWNER)
    await store.aclose()
    return program


def lines(file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


async def test_all_conversations_go_out_and_come_in_again(talkative: Program, tmp_path: Path) -> None:
    out = await talkative.run("export", "all.jsonl")
    assert (out.code, out.err) == (0, "2 conversations with 4 messages exported into all.jsonl.\n")
    file = tmp_path / "all.jsonl"
    assert [line["type"] for line in lines(file)] == ["daehwa-export", "conversation", "conversation", "end"]
    other = ("--data-dir", str(tmp_path / "other"))
    came = await talkative.run("import", "all.jsonl", *other)
    assert came.code == 0, came.err
    assert "2 added, 0 brought up to date, 0 there already" in came.err
    again = await talkative.run("import", "all.jsonl", *other)
    assert "0 added, 0 brought up to date, 2 there already" in again.err
    back = await talkative.run("export", "-", *other)
    assert [json.loads(line) for line in back.out.splitlines()][1:] == lines(file)[1:]


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps no such modes")
async def test_an_export_is_for_its_owner_alone_and_replaces_no_file(talkative: Program, tmp_path: Path) -> None:
    await talkative.run("export", "all.jsonl")
    assert stat.S_IMODE((tmp_path / "all.jsonl").stat().st_mode) == 0o600
    (tmp_path / "all.jsonl").write_text("mine")
    again = await talkative.run("export", "all.jsonl")
    assert (again.code, again.out) == (MISUSE, "")
    assert "is there already" in again.err
    assert (tmp_path / "all.jsonl").read_text() == "mine"


async def test_a_file_that_cannot_be_written_leaves_nothing_behind(talkative: Program, tmp_path: Path) -> None:
    out = await talkative.run("export", "no/such/folder/all.jsonl")
    assert out.code == MISUSE
    assert "cannot be written" in out.err
    assert [name for name in os.listdir(tmp_path) if name.endswith(".part")] == []  # noqa: PTH208 - quick enough


async def test_what_is_missing_or_strange_is_said_in_one_paragraph(program: Program, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8")
    for name in ("photo.jpg", "nowhere.jsonl"):
        came = await program.run("import", name)
        assert came.code != 0
        assert "`daehwa export` wrote" in came.err
        assert "Traceback" not in came.err


async def test_a_part_of_a_file_is_taken_and_the_rest_is_missed(talkative: Program, tmp_path: Path) -> None:
    whole = (await talkative.run("export", "-")).out.splitlines(keepends=True)
    (tmp_path / "part.jsonl").write_text("".join(whole[:2]) + whole[2][:50])
    came = await talkative.run("import", "part.jsonl", "--data-dir", str(tmp_path / "other"))
    assert came.code == FAULT
    assert "1 added" in came.err
    assert "Left out, line 3: it is cut off" in came.err
    assert "part of it is missing" in came.err


async def test_a_conversation_that_cannot_be_read_is_left_out_of_an_export_and_named(talkative: Program) -> None:
    with contextlib.closing(sqlite3.connect(DataFolder(talkative.data).database)) as connection:
        connection.execute("UPDATE messages SET parts = '[' WHERE seq = 1")
        connection.commit()
    out = await talkative.run("export", "all.jsonl")
    assert out.code == FAULT
    assert out.err.startswith("1 conversation with 2 messages exported into all.jsonl.\nLeft out: Message ")
    came = await talkative.run("import", "all.jsonl", "--data-dir", "other")
    assert came.code == 0, "the file is whole"


async def test_conversations_of_a_stranger_need_a_new_owner(talkative: Program, tmp_path: Path) -> None:
    whole = (await talkative.run("export", "-")).out.replace('"owner":"owner"', '"owner":"somebody"')
    (tmp_path / "theirs.jsonl").write_text(whole)
    other = ("--data-dir", str(tmp_path / "other"))
    refused = await talkative.run("import", "theirs.jsonl", *other)
    assert refused.code == MISUSE
    assert "conversations of 'somebody', who is not known here" in refused.err
    assert "--owner owner" in refused.err
    nobody = await talkative.run("import", "theirs.jsonl", *other, "--owner", "a@example.org")
    assert "Nobody here is known as 'a@example.org'" in nobody.err
    came = await talkative.run("import", "theirs.jsonl", *other, "--owner", "owner")
    assert "2 added" in came.err


async def test_a_long_way_is_told_now_and_then(program: Program, tmp_path: Path) -> None:
    folder = DataFolder(program.data)
    folder.prepare()
    store = await SqliteStore.open(folder.database)
    for number in range(203):
        await ask(store, f"question {number}", "answer", owner=OWNER)
    await store.aclose()
    out = await program.run("export", "all.jsonl")
    assert out.err.splitlines()[:-1] == [f"  {count} conversations with {2 * count} messages …" for count in (100, 200)]
    came = await program.run("import", "all.jsonl", "--data-dir", str(tmp_path / "other"))
    assert came.err.count("…") == 1, "eight at a time"


async def test_the_same_person_elsewhere_is_known_by_the_email_address(program: Program, tmp_path: Path) -> None:
    mina = Profile(issuer="https://id.example", subject="mina", email="mina@example.com", name="미나")
    ids = []
    for path in (program.data, tmp_path / "other"):
        folder = DataFolder(path)
        folder.prepare()
        store = await SqliteStore.open(folder.database)
        ids.append((await SqliteAccounts(store).sign_in(mina, role=None, now=1)).id)
        if path == program.data:
            await ask(store, "Who am I?", "Mina.", owner=ids[0])
        await store.aclose()
    await program.run("export", "all.jsonl", "--owner", "mina@example.com")
    assert lines(tmp_path / "all.jsonl")[0]["people"] == {ids[0]: "mina@example.com"}
    other = ("--data-dir", str(tmp_path / "other"))
    came = await program.run("import", "all.jsonl", *other)
    assert "1 added" in came.err
    back = await program.run("export", "-", "--owner", ids[1], *other)
    assert back.out.count(f'"owner":"{ids[1]}"') == 1


def test_an_export_that_breaks_off_leaves_no_part_of_a_file(tmp_path: Path) -> None:
    with contextlib.suppress(StoreError), _new_file(tmp_path / "all.jsonl") as out:
        out.write(b"half of it")
        raise StoreError("The database does not answer.")
    assert list(tmp_path.iterdir()) == []


async def test_what_lies_beside_an_export_stays(talkative: Program) -> None:
    beside = talkative.folder / "all.jsonl.part"
    beside.write_text("somebody else's")
    assert (await talkative.run("export", "all.jsonl")).code == 0
    assert beside.read_text() == "somebody else's"
    assert (talkative.folder / "all.jsonl").stat().st_mode & 0o777 == 0o600


async def test_what_is_no_export_makes_no_data_folder(program: Program) -> None:
    (program.folder / "notes").write_text("no export")
    assert (await program.run("import", "notes")).code == MISUSE
    assert not program.data.exists()


async def kept(folder: Path, *people: Profile, asking: str | None = None) -> list[str]:
    """Let people sign in at a data folder, and the last of them ask; return their ids."""
    data = DataFolder(folder)
    data.prepare()
    store = await SqliteStore.open(data.database)
    ids = [(await SqliteAccounts(store).sign_in(person, role=None, now=at)).id for at, person in enumerate(people, 1)]
    if asking is not None:
        await ask(store, asking, "An answer.", owner=ids[-1] if ids else OWNER)
    await store.aclose()
    return ids


def person(name: str, issuer: str = "https://id.example") -> Profile:
    return Profile(issuer=issuer, subject=name, email=f"{name}@example.com", name=name)


async def test_an_address_of_two_people_names_neither(program: Program, tmp_path: Path) -> None:
    former, new = await kept(program.data, person("mina"), person("mina", "https://other.example"), asking="Who?")
    refused = await program.run("export", "all.jsonl", "--owner", "mina@example.com")
    assert refused.code == MISUSE
    assert f"mina@example.com is the address of 2 people here: {former} and {new}" in refused.err
    by_id = await program.run("export", "all.jsonl", "--owner", new)
    assert by_id.code == 0, by_id.err
    await kept(tmp_path / "other", person("mina"), person("mina", "https://other.example"))
    came = await program.run("import", "all.jsonl", "--data-dir", str(tmp_path / "other"))
    assert (came.code, "is the address of 2 people" in came.err) == (MISUSE, True)


async def test_an_address_is_the_same_in_any_case_of_letters(program: Program, tmp_path: Path) -> None:
    await kept(program.data, person("Mina"), asking="Mine?")
    (mina,) = await kept(tmp_path / "other", person("mina", "https://other.example"))
    await program.run("export", "all.jsonl")
    came = await program.run("import", "all.jsonl", "--data-dir", str(tmp_path / "other"))
    assert (came.code, "1 added" in came.err) == (0, True), came.err
    await program.run("export", "theirs.jsonl", "--data-dir", str(tmp_path / "other"), "--owner", mina)
    assert len(lines(tmp_path / "theirs.jsonl")) == 3


async def test_what_is_one_persons_names_nobody_else(program: Program) -> None:
    boss, mina = await kept(program.data, person("boss"), person("mina"), asking="Mine?")
    for owner, named in ((mina, {mina: "mina@example.com"}), (boss, {boss: "boss@example.com"})):
        assert (await program.run("export", f"{owner}.jsonl", "--owner", owner)).code == 0
        assert lines(program.folder / f"{owner}.jsonl")[0]["people"] == named
    await program.run("export", "all.jsonl")
    assert lines(program.folder / "all.jsonl")[0]["people"] == {boss: "boss@example.com", mina: "mina@example.com"}


async def test_what_is_somebody_elses_here_is_left_to_them(program: Program) -> None:
    await kept(program.data, person("boss"), asking="Mine?")
    await kept(program.data, person("mina"))
    await program.run("export", "all.jsonl")
    came = await program.run("import", "all.jsonl", "--owner", "mina@example.com")
    assert came.code == FAULT
    assert "it belongs to boss@example.com here already, and is left there." in came.err
    assert "Make a new id" not in came.err


async def test_conversations_of_nobody_are_given_to_no_one_who_signs_in(talkative: Program, tmp_path: Path) -> None:
    await talkative.run("export", "all.jsonl")
    other = ("--data-dir", str(tmp_path / "other"))
    await kept(tmp_path / "other", person("mina"))
    refused = await talkative.run("import", "all.jsonl", *other)
    assert refused.code == MISUSE
    assert "a home where nobody signs in, and here people do. Say whose they are to be: --owner mina@" in refused.err
    came = await talkative.run("import", "all.jsonl", *other, "--owner", "mina@example.com")
    assert "2 added" in came.err


async def test_the_first_admin_of_another_home_is_not_the_one_of_this(program: Program, tmp_path: Path) -> None:
    for folder, name in ((program.data, "boss"), (tmp_path / "other", "chief")):
        data = DataFolder(folder)
        data.prepare()
        store = await SqliteStore.open(data.database)
        await SqliteAccounts(store, first_admin=OWNER).sign_in(person(name), role="admin", now=1)
        await ask(store, "Whose am I?", "An answer.", owner=OWNER)
        await store.aclose()
    await program.run("export", "all.jsonl")
    refused = await program.run("import", "all.jsonl", "--data-dir", str(tmp_path / "other"))
    assert (refused.code, "conversations of boss@example.com, who is not known here" in refused.err) == (MISUSE, True)
    again = await program.run("import", "all.jsonl")
    assert "1 there already" in again.err


async def test_a_folder_without_data_is_not_made(program: Program, tmp_path: Path) -> None:
    out = await program.run("export", "all.jsonl", "--data-dir", str(tmp_path / "typo"))
    assert (out.code, f"There is no data in {tmp_path / 'typo'}." in out.err) == (MISUSE, True)
    assert not (tmp_path / "typo").exists()
    assert not (tmp_path / "all.jsonl").exists()


@pytest.mark.parametrize("command", ["export", "import"])
async def test_without_credentials_for_aws_it_says_what_to_do(program: Program, command: str) -> None:
    await kept(program.data, asking="Who?")
    assert (await program.run("export", "there.jsonl")).code == 0
    file = "there.jsonl" if command == "import" else "all.jsonl"
    away = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "none", "AWS_SHARED_CREDENTIALS_FILE": "none"}
    ended = await program.run(command, file, "--aws", "--region", "us-east-1", **away)
    assert ended.code == FAULT
    assert ended.err.startswith("daehwa: There are no AWS credentials here."), ended.err


@pytest.mark.parametrize(("command", "file"), [("export", "all.jsonl"), ("import", "-")])
def test_packages_that_are_missing_are_told_for_what_was_typed(program: Program, command: str, file: str) -> None:
    without = "import sys; sys.modules['boto3'] = None; from daehwa.cli import main; main()"
    ended = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", without, command, file, "--aws"],
        env=program.environment(UV="uv", UV_RUN_RECURSION_DEPTH="1"),
        cwd=program.folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == MISUSE
    assert f"Type: uv run --extra aws daehwa {command} --aws" in ended.stderr
