"""The runner: one socket, sentences where it cannot be had, and an orderly end."""

import asyncio
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from email.utils import formatdate, parsedate_to_datetime
from pathlib import Path

import aiohttp
import pytest
from books import some_books
from cores import Core
from server.serving import asked, frames_of

from daehwa.accounts.people import User
from daehwa.conversation.events import TextDelta
from daehwa.providers.scripted import ScriptedProvider
from daehwa.server.app import create_app
from daehwa.server.options import ServerOptions
from daehwa.server.run import MOST_CONNECTIONS, CannotListen, Server, address_of, bind, http_date

pytestmark = pytest.mark.both_loops


def _server(core: Core, page: Path, *, before_shutdown: Callable[[], Awaitable[None]] | None = None) -> Server:
    options = ServerOptions(version="0", user=User(id="me"), page=page)
    app = create_app(core, books=some_books(), options=options)
    return Server(app, before_shutdown=before_shutdown)


@asynccontextmanager
async def _serving(server: Server) -> AsyncIterator[str]:
    listener = bind("127.0.0.1", 0)
    started = asyncio.Event()
    server.on_started = started.set
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await asyncio.wait_for(started.wait(), 5)
        yield address_of(listener)
    finally:
        server.end()
        await asyncio.wait_for(task, 5)


@pytest.mark.parametrize("seconds", [0, 784_111_777, 951_782_400, 1_798_761_599, 4_102_444_800])
def test_a_date_is_written_as_the_library_writes_it(seconds: int) -> None:
    for day in range(400):
        assert http_date(seconds + day * 86_401).decode() == formatdate(seconds + day * 86_401, usegmt=True)


@pytest.mark.parametrize("said", [b"", b"GET / HT"])
async def test_a_connection_that_sends_no_whole_head_has_an_end(tmp_path: Path, said: bytes) -> None:
    server = _server(Core(), tmp_path)
    server.config.timeout_keep_alive = 0.2  # type: ignore[assignment]  # it goes to call_later as it is
    async with _serving(server) as address:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(address.rpartition(":")[2]))
        writer.write(said)
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()


async def test_answers_say_the_second_in_which_they_were_asked_for_though_no_timer_runs(tmp_path: Path) -> None:
    async with _serving(_server(Core(), tmp_path)) as address, aiohttp.ClientSession() as client:
        for pause in (1.1, 0):
            async with client.get(f"{address}/healthz") as answer:
                said = parsedate_to_datetime(answer.headers["date"]).timestamp()
            assert 0 <= time.time() - said < 2
            await asyncio.sleep(pause)
        timers: list[asyncio.TimerHandle] = getattr(asyncio.get_running_loop(), "_scheduled", [])  # not of uvloop's
        assert not [each for each in timers if each.when() < asyncio.get_running_loop().time() + 1]


async def test_nobody_new_is_let_in_while_running_turns_end(tmp_path: Path) -> None:
    refused: list[bool] = []

    async def knock() -> None:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            refused.append(True)
        else:
            writer.close()

    async with _serving(_server(Core(), tmp_path, before_shutdown=knock)) as address:
        port = int(address.rpartition(":")[2])
    assert refused == [True]


async def test_running_turns_end_first_and_their_followers_are_told(tmp_path: Path) -> None:
    core = Core(ScriptedProvider([(TextDelta("Once upon"),), asyncio.Event()]))
    server = _server(core, tmp_path, before_shutdown=core.running.aclose)
    body = asked()
    async with aiohttp.ClientSession() as client:
        async with _serving(server) as address:
            answer = await client.post(f"{address}/api/turns", json=body)
            await answer.content.readuntil(b"upon")
            begun = time.monotonic()
        last = frames_of((await answer.text()).partition("\n\n")[2])[-1]
    assert (last.event, last.data["status"]) == ("error", "interrupted")
    assert time.monotonic() - begun < 2, "no follower had to be waited for"
    stored = await core.store.get_message("me", body["reply"])
    assert (stored.status, stored.text) == ("interrupted", "Once upon")


async def test_connections_send_small_packets_at_once(tmp_path: Path) -> None:
    server = _server(Core(), tmp_path)
    async with _serving(server) as address, aiohttp.ClientSession(address) as client:
        async with client.get("/healthz") as answer:
            assert answer.status == 200
            assert "date" in answer.headers
        (connection,) = server.server_state.connections
        connected: socket.socket = connection.transport.get_extra_info("socket")
        assert connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_a_connection_that_says_nothing_is_closed(tmp_path: Path) -> None:
    server = _server(Core(), tmp_path)
    server.config.timeout_keep_alive = 0
    async with _serving(server) as address:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(address.rpartition(":")[2]))
        assert await asyncio.wait_for(reader.read(), 2) == b""
        writer.close()


def test_connections_stay_below_the_limit_of_open_files() -> None:
    server = Server(lambda *_: asyncio.sleep(0))
    assert server.config.limit_concurrency is not None
    assert 50 <= server.config.limit_concurrency <= MOST_CONNECTIONS


def test_a_port_that_is_taken_is_told_in_a_sentence() -> None:
    with bind("127.0.0.1", 0) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CannotListen, match=rf"Port {port} .* is taken .* --port {port + 1}\."):
            bind("127.0.0.1", port)


def test_a_port_can_be_taken_again_at_once() -> None:
    with bind("127.0.0.1", 0) as first:
        first.listen()
        port = first.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            first.accept()[0].close()
    bind("127.0.0.1", port).close()


@pytest.mark.parametrize("host", ["no such host", "192.0.2.1"])
def test_an_address_of_another_machine_is_told_in_a_sentence(host: str) -> None:
    with pytest.raises(CannotListen, match="is not an address of this machine"):
        bind(host, 0)


def test_the_address_is_one_that_a_browser_can_open() -> None:
    with bind("0.0.0.0", 0) as everywhere:  # noqa: S104 - not listened on
        assert address_of(everywhere).startswith("http://127.0.0.1:")
    if socket.has_ipv6:
        with bind("::1", 0) as six:
            assert address_of(six).startswith("http://[::1]:")


_PROGRAM = """
import asyncio, sys
from pathlib import Path
from books import some_books
from cores import Core
from daehwa.conversation.events import TextDelta
from daehwa.providers.scripted import ScriptedProvider
from daehwa.server.app import create_app
from daehwa.server.options import ServerOptions
from daehwa.server.run import bind, serve

async def main():
    core = Core(ScriptedProvider([(TextDelta("Hello"),), asyncio.Event()]))
    options = ServerOptions(version="0", page=Path("."))
    app = create_app(core, books=some_books(), options=options)
    listener = bind("127.0.0.1", 0)
    started = lambda: print(listener.getsockname()[1], flush=True)
    await serve(app, listener, on_started=started, before_shutdown=core.running.aclose)
    print("closed the rest", flush=True)

asyncio.run(main())
"""


_TO_ANOTHER_THREAD = """
import builtins, signal, threading, time

is_listening = threading.Event()

def print(*words, **how):  # what the program says first is its port
    builtins.print(*words, **how)
    is_listening.set()

def send_myself_a_signal():
    is_listening.wait()
    time.sleep(0.3)
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)

threading.Thread(target=send_myself_a_signal, daemon=True).start()
"""


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="signals go to processes alone on this system")
async def test_a_server_that_sleeps_is_woken_by_a_signal_that_another_thread_gets() -> None:
    tests = str(Path(__file__).parents[1])
    program = [sys.executable, "-c", f"import sys; sys.path.insert(0, {tests!r}){_TO_ANOTHER_THREAD}{_PROGRAM}"]
    process = await asyncio.create_subprocess_exec(*program, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        said = await asyncio.wait_for(process.stdout.read(), 20)
        assert said.endswith(b"closed the rest\n")
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_the_program_in_order(number: signal.Signals) -> None:
    tests = str(Path(__file__).parents[1])
    program = [sys.executable, "-c", f"import sys; sys.path.insert(0, {tests!r}){_PROGRAM}"]
    process = await asyncio.create_subprocess_exec(*program, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        port = int(await asyncio.wait_for(process.stdout.readline(), 20))
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
            answer = await client.post("/api/turns", json=asked())
            await answer.content.readuntil(b"Hello")
            process.send_signal(number)
            assert "interrupted" in await asyncio.wait_for(answer.text(), 5)
        assert await asyncio.wait_for(process.wait(), 5) == 0
        assert await process.stdout.read() == b"closed the rest\n"
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
