import asyncio
import json
import os
import shutil
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest
from cli.conftest import Program
from upstream import Answer, FakeUpstream, stream

from daehwa.cli.serve import COLLECTED_AFTER, is_open_to_all, refuse_unprotected
from daehwa.cli.terminal import Refusal
from daehwa.conversation.ids import new_id
from daehwa.settings import ConfiguredSignIn, Settings
from daehwa.settings.surroundings import is_loopback
from daehwa.stores.sqlite import SqliteStore

PYTHONPATH = os.environ.get("PYTHONPATH", "")
LOOPS = {
    "uvloop": PYTHONPATH,
    "asyncio": os.pathsep.join((str(Path(__file__).parent / "without_uvloop"), PYTHONPATH)).rstrip(os.pathsep),
}
"""What the program is to find first on its path, by the loop that it then runs on."""
TELLS_OF_GARBAGE = """
import atexit, gc, sys
atexit.register(lambda: print(gc.isenabled(), gc.get_threshold()[0], gc.get_freeze_count(), file=sys.stderr))
"""


async def body_of(address: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as client, client.get(address) as answer:
        return answer.status, await answer.text()


@pytest.mark.parametrize(("loop", "path"), LOOPS.items())
def test_it_runs_on_uvloop_where_that_is_installed(loop: str, path: str) -> None:
    asked = "from daehwa.services.loop import loop_factory; print(type(loop_factory()()).__module__)"
    environment = {**os.environ, "PYTHONPATH": path}
    told = subprocess.run(  # noqa: S603 - this very Python
        [sys.executable, "-c", asked], env=environment, check=True, capture_output=True, text=True
    )
    assert told.stdout.partition(".")[0].strip() == loop


@pytest.mark.parametrize("path", LOOPS.values(), ids=LOOPS)
async def test_it_says_its_address_serves_and_ends_calmly(program: Program, path: str) -> None:
    async with (
        FakeUpstream() as upstream,
        program.serving(OPENAI_BASE_URL=upstream.base_url, PYTHONPATH=path) as server,
    ):
        status, text = await body_of(f"{server.address}/api/me")
        await server.says("New conversations are answered by openai/gpt-test.")
        ended = await server.end()
    assert status == 200
    assert json.loads(text)["default_model"] == "openai/gpt-test"
    assert ended.code == 0
    assert str(program.data) in ended.out
    assert "without a key" in ended.out
    assert ended.out.endswith("Stopped. Everything is saved.\n")
    assert "Traceback" not in ended.err
    assert "Warning" not in ended.err


@pytest.mark.parametrize("path", LOOPS.values(), ids=LOOPS)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_it_ends_calmly_when_told_to_by_the_system(program: Program, path: str, number: int) -> None:
    async with (
        FakeUpstream() as upstream,
        program.serving(OPENAI_BASE_URL=upstream.base_url, PYTHONPATH=path) as server,
    ):
        ended = await server.end(number)
    assert (ended.code, ended.out.splitlines()[-1]) == (0, "Stopped. Everything is saved.")


@pytest.mark.skipif(sys.platform == "win32", reason="there, no file that is open can be removed")
async def test_a_folder_that_was_removed_meanwhile_is_told_at_the_end(program: Program) -> None:
    async with FakeUpstream() as upstream, program.serving(OPENAI_BASE_URL=upstream.base_url) as server:
        shutil.rmtree(program.data)
        ended = await server.end()
    assert ended.code == 1
    assert "is saved" not in ended.out
    assert "Stopped. What was written last is NOT saved" in ended.err


@pytest.mark.skipif(sys.platform == "win32", reason="there, no file that is open can be removed")
async def test_a_log_that_was_removed_meanwhile_is_told_at_the_end(program: Program) -> None:
    async with FakeUpstream() as upstream, program.serving(OPENAI_BASE_URL=upstream.base_url) as server:
        await begin_turn(server.address)
        (program.data / "daehwa.sqlite3-wal").unlink()
        assert await status_of_turn(server.address, new_id()) == 503
        ended = await server.end()
    assert ended.code == 1
    assert "Stopped. What was written last is NOT saved" in ended.err


@pytest.mark.skipif(sys.platform != "linux", reason="the limits of another process are Linux's")
async def test_what_could_not_be_saved_is_told_at_the_end(program: Program) -> None:
    import resource  # noqa: PLC0415 - not on Windows

    never = asyncio.Event()
    async with (
        FakeUpstream(Answer([*stream("Half of")[:-3], never])) as upstream,
        program.serving(OPENAI_BASE_URL=upstream.base_url) as server,
    ):
        reply = await begin_turn(server.address)
        while "Half of" not in await text_on_disk(program, reply):  # noqa: ASYNC110 - it is another process's doing
            await asyncio.sleep(0.05)
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (4096, 4096))
        ended = await server.end()
        never.set()
    assert ended.code == 1
    assert "is saved" not in ended.out
    told = "Stopped. NOT everything is saved: 1 answer has its end not stored, and 1 call is not counted."
    assert told in " ".join(ended.err.split())


async def test_once_it_listens_garbage_is_looked_for_but_not_in_what_the_start_made(
    program: Program, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(TELLS_OF_GARBAGE, "utf-8")
    path = os.pathsep.join((str(tmp_path), PYTHONPATH)).rstrip(os.pathsep)
    async with (
        FakeUpstream() as upstream,
        program.serving(OPENAI_BASE_URL=upstream.base_url, PYTHONPATH=path) as server,
    ):
        ended = await server.end()
    is_enabled, after, frozen = ended.err.split()[-3:]
    assert (is_enabled, int(after)) == ("True", COLLECTED_AFTER)
    assert int(frozen) > 10_000


async def test_what_it_keeps_is_the_owners_alone(program: Program) -> None:
    async with FakeUpstream() as upstream, program.serving(OPENAI_BASE_URL=upstream.base_url) as server:
        await server.end()
    assert stat.S_IMODE(program.data.stat().st_mode) == 0o700
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in program.data.iterdir())


async def test_one_server_uses_a_data_folder(program: Program) -> None:
    async with FakeUpstream() as upstream, program.serving(OPENAI_BASE_URL=upstream.base_url) as server:
        second = await program.run("--port", "0", OPENAI_BASE_URL=upstream.base_url)
        asked = await program.run("ask", "Beside it?", OPENAI_BASE_URL=upstream.base_url)
        pid = server.process.pid
    assert second.code == 1
    assert f"in use by another daehwa (process {pid})" in second.err
    assert (asked.code, asked.out) == (0, "Hello there.\n")


async def test_a_killed_server_leaves_the_folder_free(program: Program) -> None:
    async with FakeUpstream() as upstream:
        async with program.serving(OPENAI_BASE_URL=upstream.base_url) as server:
            await server.end(signal.SIGKILL)
        async with program.serving(OPENAI_BASE_URL=upstream.base_url) as server:
            assert (await body_of(f"{server.address}/healthz"))[0] == 200


async def test_an_answer_cut_off_by_a_kill_is_kept_and_told(program: Program) -> None:
    never = asyncio.Event()
    async with FakeUpstream(Answer([*stream("Half of")[:-3], never])) as upstream:
        async with program.serving(OPENAI_BASE_URL=upstream.base_url) as server:
            reply = await begin_turn(server.address)
            while "Half of" not in await text_on_disk(program, reply):  # noqa: ASYNC110 - it is another process's doing
                await asyncio.sleep(0.05)
            await server.end(signal.SIGKILL)
        never.set()
        async with program.serving(OPENAI_BASE_URL=upstream.base_url) as server:
            _, events = await body_of(f"{server.address}/api/turns/{reply}/events")
            ended = await server.end()
    assert "1 answer was cut off when the last server ended" in ended.out
    assert '"Half of"' in events
    assert '"status":"interrupted"' in events


async def begin_turn(address: str) -> str:
    """Ask over the wire and leave; return the reply's id."""
    reply = new_id()
    assert await status_of_turn(address, reply) == 200
    return reply


async def status_of_turn(address: str, reply: str) -> int:
    message = {"id": new_id(), "parent": None, "parts": [{"type": "text", "text": "Hi"}]}
    turn = {"conversation": new_id(), "reply": reply, "message": message}
    async with aiohttp.ClientSession() as client, client.post(f"{address}/api/turns", json=turn) as answer:
        return answer.status


async def text_on_disk(program: Program, reply: str) -> str:
    store = await SqliteStore.open(program.data / "daehwa.sqlite3")
    try:
        return (await store.get_message("owner", reply)).text
    finally:
        await store.aclose()


async def test_a_taken_port_is_told(program: Program) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = await program.run("--port", str(port), "--no-open")
    assert ended.code == 1
    assert f"Port {port} on 127.0.0.1 is taken" in ended.err
    assert "Traceback" not in ended.err


async def test_an_address_that_others_reach_is_refused(program: Program) -> None:
    ended = await program.run("--host", "0.0.0.0")  # noqa: S104 - it is refused
    assert ended.code == 2
    assert "--allow-unprotected" in ended.err


async def test_a_wrong_setting_is_told(program: Program) -> None:
    (program.folder / "daehwa.toml").write_text("port = 99999")
    ended = await program.run()
    assert ended.code == 2
    assert "daehwa.toml, line 1: port is 99999" in ended.err
    assert len(ended.err.splitlines()) == 1


async def test_a_data_folder_that_cannot_be_is_told(program: Program) -> None:
    program.data.write_text("a file where the folder should be")
    ended = await program.run()
    assert ended.code == 1
    assert f"The data folder {program.data} cannot be used" in ended.err


async def test_a_damaged_database_is_told(program: Program) -> None:
    program.data.mkdir()
    (program.data / "daehwa.sqlite3").write_bytes(b"This is no database at all. " * 100)
    ended = await program.run("--port", "0")
    assert ended.code == 1
    assert "not a database" in ended.err
    assert "Traceback" not in ended.err


async def test_a_database_of_a_newer_version_is_told(program: Program) -> None:
    async with FakeUpstream() as upstream, program.serving(OPENAI_BASE_URL=upstream.base_url) as server:
        await server.end()
    with sqlite3.connect(program.data / "daehwa.sqlite3") as connection:
        connection.execute("PRAGMA user_version = 9999")
    connection.close()
    ended = await program.run("--port", "0")
    assert ended.code == 1
    assert "newer" in ended.err
    assert "Traceback" not in ended.err


async def test_a_default_model_that_is_not_served_is_told(program: Program) -> None:
    async with (
        FakeUpstream() as upstream,
        program.serving(OPENAI_BASE_URL=upstream.base_url, DAEHWA_DEFAULT_MODEL="gpt-gone") as server,
    ):
        await body_of(f"{server.address}/api/me")
        ended = await server.end()
    assert "default_model gpt-gone is served by no provider; openai/gpt-test answers instead." in ended.out


async def test_it_says_why_there_is_no_model(program: Program) -> None:
    async with program.serving(OPENAI_BASE_URL="http://127.0.0.1:9/v1") as server:
        await body_of(f"{server.address}/api/me")
        _, models = await body_of(f"{server.address}/api/models")
        ended = await server.end()
    sentence = "openai refused the connection at 127.0.0.1:9. Check that it is running and that the base URL is right."
    assert f"  models         none yet: {sentence}\n" in ended.out
    problems = [{"provider": "openai", "type": "upstream_unreachable", "message": sentence}]
    assert json.loads(models) == {"models": [], "default": None, "problems": problems}


async def test_each_log_line_is_json_on_demand(program: Program) -> None:
    async with (
        FakeUpstream() as upstream,
        program.serving("--log-json", OPENAI_BASE_URL=upstream.base_url) as server,
    ):
        await body_of(f"{server.address}/healthz?secret=1")
        ended = await server.end()
    (line,) = [json.loads(line) for line in ended.err.splitlines()]
    assert (line["path"], line["status"]) == ("/healthz", 200)


async def test_wrong_words_are_told_with_what_they_may_mean(program: Program) -> None:
    assert "Did you mean 'doctor'?" in (await program.run("docter")).err
    assert "Did you mean '--port'?" in (await program.run("--prt", "1")).err
    assert (await program.run("--version")).out.startswith("daehwa 0.")
    command = (sys.executable, "-m", "daehwa", "--version")
    told = subprocess.run(command, env=program.environment(), check=True, capture_output=True, text=True)  # noqa: ASYNC221, S603 - this very Python
    assert told.stdout.startswith("daehwa 0.")


def test_an_address_that_others_reach_is_taken_only_with_a_word_of_consent() -> None:
    with pytest.raises(Refusal, match="Nobody is asked to sign in"):
        refuse_unprotected(Settings(host="192.168.1.2"), has_sign_in=False)
    refuse_unprotected(Settings(host="192.168.1.2", allow_unprotected=True), has_sign_in=False)
    refuse_unprotected(Settings(host="192.168.1.2", public_url="https://a.example"), has_sign_in=True)
    with pytest.raises(Refusal, match="public_url"):
        refuse_unprotected(Settings(host="192.168.1.2"), has_sign_in=True)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.3.2.1", "::1", "localhost"])
def test_addresses_of_this_machine_are_known(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "example.com"])  # noqa: S104 - nothing is bound
def test_other_addresses_are_known(host: str) -> None:
    assert not is_loopback(host)


async def test_a_browser_is_not_opened_where_nobody_sees_it(program: Program, tmp_path: Path) -> None:
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f"#!/bin/sh\necho $1 > {opened}\n")
    browser.chmod(0o755)
    async with FakeUpstream() as upstream:
        async with program.serving(OPENAI_BASE_URL=upstream.base_url, BROWSER=str(browser)) as server:
            await server.end()
        assert not opened.exists()
        screen = {"OPENAI_BASE_URL": upstream.base_url, "BROWSER": str(browser), "DISPLAY": ":99"}
        async with program.serving(**screen) as server:
            address = server.address
            await body_of(f"{address}/healthz")
            while not opened.exists() or not opened.read_text():
                await body_of(f"{address}/healthz")
            await server.end()
    assert opened.read_text() == f"{address}\n"


SIGN_IN = {
    "DAEHWA_SIGN_IN_ISSUER": "https://id.example",
    "DAEHWA_SIGN_IN_CLIENT_ID": "me",
    "DAEHWA_SIGN_IN_ALLOWED_EMAILS": "*",
}


@pytest.mark.parametrize(
    ("issuer", "allowed", "is_open"),
    [
        ("https://accounts.google.com", ("*",), True),
        ("https://accounts.google.com", ("@example.com",), False),
        ("https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_abc", ("*",), False),
        ("https://cognito-idp.example.com/x", ("@example.com", "*"), True),
    ],
)
def test_whether_all_the_world_may_come_in(issuer: str, allowed: tuple[str, ...], *, is_open: bool) -> None:
    assert is_open_to_all(ConfiguredSignIn(issuer=issuer, client_id="me", allowed_emails=allowed)) is is_open


async def test_it_says_when_all_the_world_may_come_in(program: Program) -> None:
    async with FakeUpstream() as upstream:
        given = {**SIGN_IN, "OPENAI_BASE_URL": upstream.base_url}
        async with program.serving(**given) as server:
            ended = await server.end()
    assert "  sign-in        https://id.example\n  EVERYBODY      who has an account there may come in" in ended.out


@pytest.mark.parametrize(
    ("started_by", "line"),
    [
        ({}, "pip install '.[sign-in]' (in daehwa's folder)"),
        ({"UV": "uv", "UV_RUN_RECURSION_DEPTH": "1"}, "uv run --extra sign-in daehwa"),
    ],
)
async def test_without_the_package_for_sign_in_it_says_what_to_type(
    program: Program, started_by: dict[str, str], line: str
) -> None:
    without = "import sys; sys.modules['joserfc'] = None; from daehwa.cli import main; main()"
    async with FakeUpstream() as upstream:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", without, "--port", "0"),
            cwd=program.folder,
            env=program.environment(**SIGN_IN, **started_by, OPENAI_BASE_URL=upstream.base_url),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        _, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 1
    assert f"Signing in needs a package that is not installed here. Type: {line}" in err.decode().splitlines()[0]
