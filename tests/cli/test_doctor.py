import json

from cli.conftest import Program
from upstream import FakeUpstream

from daehwa.data_folder import DATABASE
from daehwa.stores.sqlite_connection import open_file
from daehwa.stores.sqlite_migrations import MIGRATIONS, migrate

KEY = "sk-a-key-that-nobody-sees-01"


async def test_the_doctor_says_what_is_there_and_never_a_key(program: Program) -> None:
    async with FakeUpstream(models=["gpt-a", "gpt-b"]) as upstream:
        ended = await program.run("doctor", OPENAI_BASE_URL=upstream.base_url, OPENAI_API_KEY=KEY)
    assert KEY not in ended.out + ended.err
    assert f"key: set, {len(KEY)} characters, from OPENAI_API_KEY; reachable" in ended.out
    assert "openai/gpt-a, openai/gpt-b" in ended.out
    assert str(program.data) in ended.out


async def test_the_doctor_speaks_json(program: Program) -> None:
    async with FakeUpstream() as upstream:
        ended = await program.run("doctor", "--json", OPENAI_BASE_URL=upstream.base_url, OPENAI_API_KEY=KEY)
    report = json.loads(ended.out)
    assert KEY not in ended.out
    assert report["has_full_text_search"] is True
    assert report["providers"][0]["is_reachable"] is True
    assert report["data"]["exists"] is False
    assert report["default_model"] == "openai/gpt-test"


async def test_the_doctor_says_what_cannot_be_reached(program: Program) -> None:
    ended = await program.run("doctor", OPENAI_BASE_URL="http://127.0.0.1:9/v1")
    assert ended.code == 1
    assert "NOT REACHABLE" in ended.out
    assert "No model can be asked." in ended.out


async def test_the_doctor_sees_the_server_beside_it(program: Program) -> None:
    async with FakeUpstream() as upstream, program.serving(OPENAI_BASE_URL=upstream.base_url) as server:
        ended = await program.run("doctor", OPENAI_BASE_URL=upstream.base_url)
    assert f"in use by process {server.process.pid}" in ended.out


async def test_the_doctor_sees_the_copies_that_migrations_left(program: Program) -> None:
    program.data.mkdir()
    path = program.data / DATABASE
    connection = open_file(path)
    migrate(connection, path)
    backup = migrate(connection, path, (*MIGRATIONS, lambda _: None))
    connection.close()
    assert backup is not None
    ended = await program.run("doctor", "--json", OPENAI_BASE_URL="http://127.0.0.1:9/v1")
    assert json.loads(ended.out)["data"]["backups"] == [backup.name]
