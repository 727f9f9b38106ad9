import asyncio
import json
import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from cli.conftest import LIMIT_SECONDS, Program
from sign_in.issuer import Issuer
from upstream import Answer, FakeUpstream

from daehwa.accounts.audit import NewEvent
from daehwa.cli.doctor_data import MEBIBYTE, data_faults, data_lines, data_report
from daehwa.data_folder import DATABASE, LOCK, DataFolder
from daehwa.services.messages_report import MessagesReport
from daehwa.stores.sqlite import SqliteStore
from daehwa.stores.sqlite_audit import SqliteAudit
from daehwa.stores.sqlite_connection import open_file
from daehwa.stores.sqlite_migrations import migrate
from daehwa.stores.sqlite_schema import MIGRATIONS

KEY = "sk-a-key-that-nobody-sees-01"


async def test_the_doctor_says_what_is_there_and_never_a_key(program: Program) -> None:
    async with FakeUpstream(models=["gpt-a", "gpt-b"]) as upstream:
        ended = await program.run("doctor", OPENAI_BASE_URL=upstream.base_url, OPENAI_API_KEY=KEY)
    assert KEY not in ended.out + ended.err
    assert f"key: set, {len(KEY)} characters, from OPENAI_API_KEY; reachable" in ended.out
    assert "openai/gpt-a, openai/gpt-b" in ended.out
    assert str(program.data) in ended.out


async def test_what_an_upstream_says_moves_nothing_at_the_terminal(program: Program) -> None:
    async with FakeUpstream(models=["gpt\x1b[2K-a"]) as upstream:
        ended = await program.run("doctor", OPENAI_BASE_URL=upstream.base_url, OPENAI_API_KEY=KEY)
    assert "openai/gpt␛[2K-a" in ended.out
    assert "\x1b" not in ended.out + ended.err


async def test_the_doctor_speaks_json(program: Program) -> None:
    async with FakeUpstream() as upstream:
        ended = await program.run("doctor", "--json", OPENAI_BASE_URL=upstream.base_url, OPENAI_API_KEY=KEY)
    report = json.loads(ended.out)
    assert KEY not in ended.out
    assert report["has_full_text_search"] is True
    assert report["providers"][0]["is_reachable"] is True
    assert report["data"]["exists"] is False
    assert report["default_model"] == "openai/gpt-test"
    assert report["settings"]["port"] == {"value": 8000, "source": "default"}
    assert report["settings"]["allowed_hosts"] == {"value": [], "source": "default"}
    assert report["settings"]["data_dir"] == {"value": str(program.data), "source": "DAEHWA_DATA_DIR"}


@pytest.mark.skipif(sys.platform != "linux", reason="it needs a file system that takes any bytes for a name")
async def test_the_doctor_speaks_json_of_a_folder_whose_name_is_no_utf_8(program: Program) -> None:
    named = os.fsdecode(os.fsencode(program.folder) + b"/\xb4\xeb\xc8\xad")
    ended = await program.run("doctor", "--json", OPENAI_BASE_URL="http://127.0.0.1:9/v1", DAEHWA_DATA_DIR=named)
    assert json.loads(ended.out)["data"]["folder"] == named


async def test_the_doctor_says_what_cannot_be_reached(program: Program) -> None:
    ended = await program.run("doctor", OPENAI_BASE_URL="http://127.0.0.1:9/v1")
    assert ended.code == 1
    assert "NOT REACHABLE" in ended.out
    assert "No model can be asked." in ended.out


async def test_the_doctor_sees_the_server_beside_it(program: Program) -> None:
    async with FakeUpstream() as upstream, program.serving(OPENAI_BASE_URL=upstream.base_url) as server:
        ended = await program.run("doctor", OPENAI_BASE_URL=upstream.base_url)
    assert f"in use by process {server.process.pid}" in ended.out


async def test_the_doctor_sees_the_copies_that_were_left(program: Program) -> None:
    program.data.mkdir()
    path = program.data / DATABASE
    connection = open_file(path)
    migrate(connection, path)
    backup = migrate(connection, path, (*MIGRATIONS, lambda _: None))
    connection.close()
    assert backup is not None
    ended = await program.run("doctor", "--json", OPENAI_BASE_URL="http://127.0.0.1:9/v1")
    assert json.loads(ended.out)["data"]["backups"] == [backup.name]
    replaced = program.data / "daehwa.replaced.20261129T233818015319Z.sqlite3"
    replaced.touch()
    replaced.with_name(replaced.name + "-wal").touch()
    ended = await program.run("doctor", "--json", OPENAI_BASE_URL="http://127.0.0.1:9/v1")
    assert json.loads(ended.out)["data"]["backups"] == [replaced.name, backup.name]
    killed = [program.data / "daehwa.backup.sqlite3.part", program.data / f"{DATABASE}.x1y2z3.part"]
    for part in killed:
        part.touch()
    ended = await program.run("doctor", "--json", OPENAI_BASE_URL="http://127.0.0.1:9/v1")
    assert json.loads(ended.out)["data"]["backups"] == sorted(path.name for path in (replaced, backup, *killed))


@pytest.mark.skipif(sys.platform == "win32", reason="a link takes a right there that few have")
def test_the_doctor_says_where_copies_lie_of_a_database_that_is_a_link(tmp_path: Path) -> None:
    disk, data = tmp_path / "disk", tmp_path / "data"
    disk.mkdir()
    data.mkdir()
    (disk / "file").touch()
    (data / DATABASE).symlink_to("../disk/file")
    there = [disk / "file.backup.part", disk / "file.replaced.20261130T120000000000Z"]
    before = data / "daehwa.replaced.20261129T120000000000Z.sqlite3"
    for copy in (*there, before):
        copy.touch()
    assert set(data_report(DataFolder(data)).backups) == {before.name, *map(str, there)}


@pytest.mark.skipif(sys.platform == "win32", reason="a link takes a right there that few have")
def test_the_doctor_tells_of_the_disk_where_the_database_lies(tmp_path: Path) -> None:
    disk, data = tmp_path / "disk", tmp_path / "data"
    disk.mkdir()
    data.mkdir()
    assert data_report(DataFolder(data)).linked_to is None
    (disk / "file").touch()
    (data / DATABASE).symlink_to("../disk/file")
    report = data_report(DataFolder(data))
    linked = report.linked_to
    assert linked is not None
    assert (linked.folder, linked.is_another_disk) == (str(disk), False)
    assert f" in {disk}, {linked.free_bytes // MEBIBYTE:,} MB free; backups" in data_lines(report)[1]
    full = msgspec.structs.replace(linked, free_bytes=MEBIBYTE, is_another_disk=True)
    report = msgspec.structs.replace(report, free_bytes=MEBIBYTE * 1024, linked_to=full, folder_fault=None)
    assert f"The disk of {disk} is full but for 1.0 MB. Free some space." in data_faults(report)
    same = msgspec.structs.replace(report, linked_to=msgspec.structs.replace(full, is_another_disk=False))
    assert not any("is full" in fault for fault in data_faults(same)), "one disk is told of once"
    (data / DATABASE).unlink()
    (data / DATABASE).symlink_to("../gone/file")
    assert data_report(DataFolder(data)).linked_to is None


async def test_the_doctor_sees_whether_the_audit_log_was_changed(program: Program) -> None:
    program.data.mkdir()
    store = await SqliteStore.open(program.data / DATABASE)
    audit = SqliteAudit(store)
    for name in ("one", "two"):
        await audit.append(NewEvent(at=1, action="group.made", details={"name": name}))
    await store.aclose()
    whole = await program.run("doctor", OPENAI_BASE_URL="http://127.0.0.1:9/v1")
    assert "audit log: 2 events, the chain holds" in whole.out
    with closing(sqlite3.connect(program.data / DATABASE, isolation_level=None)) as database:
        database.execute("UPDATE audit SET value = replace(value, 'two', 'six')")
    changed = await program.run("doctor", OPENAI_BASE_URL="http://127.0.0.1:9/v1")
    assert "The audit log was changed by hand: its chain breaks at event 2." in changed.out
    assert changed.code == 1


def named(base_url: str, name: str = "acme") -> str:
    return f'[[providers]]\nname = "{name}"\nbase_url = "{base_url}"\nmodels = ["one"]\n'


async def test_a_provider_whose_models_are_named_is_asked_too(program: Program) -> None:
    (program.folder / "daehwa.toml").write_text(named("http://127.0.0.1:9/v1"))
    dead = await program.run("doctor")
    assert dead.code == 1
    assert "NOT REACHABLE" in dead.out
    assert "acme: acme refused the connection at 127.0.0.1:9." in dead.out
    async with FakeUpstream(models=Answer([], 404)) as upstream:
        (program.folder / "daehwa.toml").write_text(named(upstream.base_url))
        listless = await program.run("doctor")
    assert listless.code == 0, listless.out
    assert "lists no models" in listless.out
    assert "models: acme/one" in listless.out


async def test_a_key_that_is_missing_is_told(program: Program) -> None:
    async with FakeUpstream(models=Answer([], 401)) as upstream:
        (program.folder / "daehwa.toml").write_text(named(upstream.base_url))
        ended = await program.run("doctor")
    assert ended.code == 1
    assert "acme wants an API key (401) and none is set." in ended.out


async def test_a_damaged_database_is_a_fault(program: Program) -> None:
    program.data.mkdir()
    (program.data / DATABASE).write_bytes(b"This is no database at all. " * 100)
    async with FakeUpstream() as upstream:
        ended = await program.run("doctor", OPENAI_BASE_URL=upstream.base_url)
    assert ended.code == 1
    assert "It is not a database" in ended.out


async def test_a_database_with_a_broken_page_is_a_fault(program: Program) -> None:
    async with FakeUpstream() as upstream:
        await program.run("ask", "Hi", OPENAI_BASE_URL=upstream.base_url)
        whole = await program.run("doctor", OPENAI_BASE_URL=upstream.base_url)
        file = program.data / DATABASE
        content = bytearray(file.read_bytes())
        content[4096 : 4096 * 6] = b"\xff" * 4096 * 5
        file.write_bytes(content)
        broken = await program.run("doctor", OPENAI_BASE_URL=upstream.base_url)
    assert whole.code == 0, whole.out
    assert broken.code == 1
    assert "It is damaged" in broken.out


def changed(program: Program, *statements: str) -> None:
    with closing(sqlite3.connect(program.data / DATABASE)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


@pytest.mark.parametrize(
    ("statements", "sentence"),
    [
        (("UPDATE messages SET parts = '[{' WHERE role = 'user'",), "cannot be read"),
        (("DROP TABLE messages",), "is not what its number says, schema"),
        (("PRAGMA user_version = 1",), "is not what its number says, schema 1"),
        (("PRAGMA user_version = -5",), "is not what its number says, schema -5"),
        (("PRAGMA user_version = 999",), "was written by a newer daehwa"),
        (("PRAGMA application_id = 7",), "is the database of another program"),
    ],
)
async def test_a_database_that_no_command_could_use_is_a_fault(
    program: Program, statements: tuple[str, ...], sentence: str
) -> None:
    async with FakeUpstream() as upstream:
        await program.run("ask", "Hi", OPENAI_BASE_URL=upstream.base_url)
        whole = await program.run("doctor", OPENAI_BASE_URL=upstream.base_url)
        changed(program, *statements)
        ended = await program.run("doctor", OPENAI_BASE_URL=upstream.base_url)
    assert "messages: 2, all can be read" in whole.out
    assert whole.code == 0
    assert ended.code == 1, ended.out
    assert sentence in ended.out.partition("To put right:")[2]


@pytest.mark.parametrize(
    ("looked_at", "unreadable", "line"),
    [
        (3000, 0, "messages: 3,000, all can be read"),
        (3000, 1, "messages: 3,000, NOT ALL CAN BE READ"),
        (2000, 0, "messages: the newest 2,000 of 3,000 can be read"),
        (2000, 1, "messages: OF the newest 2,000 of 3,000 NOT ALL CAN BE READ"),
    ],
)
def test_only_messages_that_were_looked_at_are_said_to_be_legible(
    tmp_path: Path, looked_at: int, unreadable: int, line: str
) -> None:
    report = MessagesReport(messages=3000, looked_at=looked_at, unreadable=unreadable, told=())
    data = msgspec.structs.replace(data_report(DataFolder(tmp_path)), messages=report)
    assert line in [shown.strip() for shown in data_lines(data)]


async def test_what_is_in_the_place_of_the_database_or_its_lock_is_a_fault(program: Program) -> None:
    async with FakeUpstream() as upstream:
        program.data.mkdir()
        (program.data / DATABASE).mkdir()
        (program.data / LOCK).mkdir()
        folders = await program.run("doctor", OPENAI_BASE_URL=upstream.base_url)
        for name in (DATABASE, LOCK):
            (program.data / name).rmdir()
        (program.data / DATABASE).symlink_to(program.folder / "gone" / "x")
        link = await program.run("doctor", OPENAI_BASE_URL=upstream.base_url)
        elsewhere = await program.run("doctor", "--data-dir", "daehwa.toml/x", OPENAI_BASE_URL=upstream.base_url)
    assert folders.code == link.code == 1
    assert "stands where the database belongs" in folders.out
    assert f"The lock {program.data / LOCK} cannot be used: Is a directory." in folders.out
    assert f"is a link to {program.folder / 'gone' / 'x'}, where nothing is" in link.out
    assert "Traceback" not in elsewhere.err


async def test_a_default_model_that_nobody_serves_is_a_fault(program: Program) -> None:
    async with FakeUpstream() as upstream:
        ended = await program.run("doctor", OPENAI_BASE_URL=upstream.base_url, DAEHWA_DEFAULT_MODEL="nosuch/model")
    assert ended.code == 1
    assert "default_model nosuch/model is served by no provider; openai/gpt-test answers instead." in ended.out


ROUTE = """
[[routes]]
name = "quick"
targets = ["acme/one", "acme/two", "nosuch/one", "openai/gpt-test", "openai/gpt-x"]
"""


async def test_targets_of_routes_that_nobody_serves_are_faults(program: Program) -> None:
    async with FakeUpstream() as upstream:
        (program.folder / "daehwa.toml").write_text(named(upstream.base_url) + ROUTE)
        ended = await program.run("doctor", OPENAI_BASE_URL=upstream.base_url)
    assert ended.code == 1
    faults = [line for line in ended.out.splitlines() if "The route quick leads to" in line]
    lost = ("acme/two", "nosuch/one", "openai/gpt-x")
    assert faults == [f"  - The route quick leads to {model}, which is served by no provider." for model in lost]


async def test_the_server_says_at_its_start_which_targets_nobody_serves(program: Program) -> None:
    async with FakeUpstream() as upstream:
        (program.folder / "daehwa.toml").write_text(named(upstream.base_url) + ROUTE)
        async with program.serving(OPENAI_BASE_URL=upstream.base_url) as server:
            assert server.process.stdout is not None
            said = ""
            while "New conversations are answered by" not in said:
                line = await asyncio.wait_for(server.process.stdout.readline(), LIMIT_SECONDS)
                assert line, said
                said += line.decode()
    assert said.count("The route quick leads to") == 3
    assert "  models         The route quick leads to nosuch/one, which is served by no provider." in said


async def test_a_variable_that_is_missing_is_to_be_put_right(program: Program) -> None:
    async with FakeUpstream() as upstream:
        (program.folder / "daehwa.toml").write_text(named(upstream.base_url) + 'api_key_env = "ACME_KEY"\n')
        ended = await program.run("doctor", OPENAI_BASE_URL=upstream.base_url)
        made = await program.run("key", "create", "laptop")
    assert ended.code == 1, ended.err
    assert "key: NOT SET; not asked" in ended.out
    assert "To put right:" in ended.out
    assert "takes its key from the environment variable ACME_KEY, which is not set." in ended.out
    assert "openai: " in ended.out
    assert made.code == 0, made.err


async def test_settings_are_shown_as_they_are_written(program: Program) -> None:
    async with FakeUpstream() as upstream:
        (program.folder / "daehwa.toml").write_text('budgets = ["all month 50", "user day 1"]\nrequire_keys = true\n')
        ended = await program.run("doctor", OPENAI_BASE_URL=upstream.base_url, OPENAI_API_KEY="k")
    assert 'budgets = ["all month 50", "user day 1"] (' in ended.out
    assert "require_keys = true (" in ended.out
    assert "key: set, 1 character, from OPENAI_API_KEY" in ended.out


def signing_in(issuer: str) -> str:
    return f'[sign_in]\nissuer = "{issuer}"\nclient_id = "daehwa"\nadmin_emails = ["mina@example.com"]\n'


async def test_the_identity_provider_is_asked_too(program: Program) -> None:
    async with FakeUpstream() as upstream, Issuer() as issuer:
        (program.folder / "daehwa.toml").write_text(signing_in(issuer.url))
        fine = await program.run("doctor", OPENAI_BASE_URL=upstream.base_url)
        report = await program.run("doctor", "--json", OPENAI_BASE_URL=upstream.base_url)
    assert fine.code == 0, fine.out
    assert f"sign-in     {issuer.url}" in fine.out
    assert "client daehwa, secret none; answers as it must" in fine.out
    said = json.loads(report.out)["sign_in"]
    assert (said["issuer"], said["client_id"], said["fault"]) == (issuer.url, "daehwa", None)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"metadata": {"issuer": "https://other.example"}}, "calls itself 'https://other.example'"),
        ({"status": {"keys": 500}}, "was asked for its keys, and is out of order (HTTP 500)"),
        (None, "was asked for its discovery document, in vain"),
    ],
)
async def test_what_is_wrong_with_the_identity_provider_is_told(
    program: Program, wrong: dict[str, object] | None, sentence: str
) -> None:
    async with FakeUpstream() as upstream, Issuer() as issuer:
        (program.folder / "daehwa.toml").write_text(signing_in(issuer.url))
        for name, value in (wrong or {}).items():
            setattr(issuer, name, value)
        if wrong is None:
            await issuer.stop()
        ended = await program.run("doctor", OPENAI_BASE_URL=upstream.base_url)
        report = await program.run("doctor", "--json", OPENAI_BASE_URL=upstream.base_url)
    assert (ended.code, report.code) == (1, 1)
    assert "CANNOT SIGN ANYBODY IN" in ended.out
    assert f"  - sign-in: The identity provider {sentence}" in ended.out
    assert sentence in json.loads(report.out)["sign_in"]["fault"]


async def test_the_server_says_at_its_start_that_nobody_can_sign_in(program: Program) -> None:
    (program.folder / "daehwa.toml").write_text(signing_in("http://127.0.0.1:9"))
    async with FakeUpstream() as upstream, program.serving(OPENAI_BASE_URL=upstream.base_url) as server:
        assert server.process.stdout is not None
        said = ""
        while "The identity provider was asked for its discovery document, in vain" not in said:
            line = await asyncio.wait_for(server.process.stdout.readline(), LIMIT_SECONDS)
            assert line, said
            said += line.decode()
