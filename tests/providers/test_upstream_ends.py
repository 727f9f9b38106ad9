"""Early ends at every point of a call over HTTP: cancelled, silent, closed. Nothing may stay behind, here or there."""

import asyncio
import gc
import os
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import trustme
from providers.client_asks import body_of, settled, upstream_fault_of
from providers.conftest import Make
from wire_server import Line, WireServer, left, saying

from daehwa.conversation.errors import ProviderCutError, ProviderTimeoutError, ProviderUnreachableError
from daehwa.providers.upstream import Patience
from daehwa.providers.upstream_client import UpstreamClient, UpstreamStream

pytestmark = pytest.mark.both_loops

BEGUN = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n"
FAR = "https://upstream.test/v1"


@pytest.fixture
async def no_remains() -> AsyncIterator[None]:
    """Let no task outlive the test; what was not closed complains when it is collected, and fails the test."""
    yield
    gc.collect()
    await settled(lambda: asyncio.all_tasks() == {asyncio.current_task()})


async def hang(line: Line) -> None:
    await line.left()


async def ask(client: UpstreamClient) -> UpstreamStream:
    return await client.post("chat/completions", b"{}")


async def ask_and_read(client: UpstreamClient) -> None:
    stream = await ask(client)
    try:
        while await stream.read():
            pass
    finally:
        stream.close()


async def ask_and_gather(client: UpstreamClient) -> None:
    stream = await ask(client)
    try:
        await stream.read()
        stream.hold()
        while await stream.gather():
            pass
    finally:
        stream.close()


async def cancelled(asked: Awaitable[object], when: Callable[[], bool]) -> None:
    task = asyncio.ensure_future(asked)
    await settled(when)
    await asyncio.sleep(0.01)  # and a little further, into the next wait
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.usefixtures("no_remains")
@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize(
    ("answers", "asked"), [(False, ask), (True, ask_and_read), (True, ask_and_gather)], ids=["head", "read", "gather"]
)
async def test_cancelled_while_the_answer_is_awaited(
    make: Make, trusted: "Trusted", asked: Callable[[UpstreamClient], Awaitable[object]], *, answers: bool, tls: bool
) -> None:
    talk = saying(BEGUN, then=left) if answers else hang
    async with WireServer(talk, tls=trusted.context if tls else None) as server:
        client = make(server.base_url, ca_file=trusted.ca_file)
        await cancelled(asked(client), lambda: len(server.lines) == 1)
        async with asyncio.timeout(0.2):
            await server.ended[0].wait()
        assert [*client.connections.idle, *client.connections.busy] == []


@pytest.mark.usefixtures("no_remains")
async def test_cancelled_in_the_handshake(make: Make) -> None:
    async with WireServer(hang) as server:
        client = make(server.base_url.replace("http:", "https:"))
        await cancelled(ask(client), lambda: len(server.lines) == 1)
        async with asyncio.timeout(0.2):
            await server.ended[0].wait()


@pytest.mark.usefixtures("no_remains")
async def test_cancelled_while_connecting(make: Make) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:  # the kernel drops further connections once the queue is full
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        client = make(f"http://127.0.0.1:{full.getsockname()[1]}/v1")
        await cancelled(ask(client), lambda: client.connections.route is not None)
        for one in waiting:
            one.close()


@pytest.mark.usefixtures("no_remains")
@pytest.mark.parametrize("connects", [False, True], ids=["connect", "handshake"])
async def test_cancelled_on_the_way_through_a_proxy(
    make: Make, monkeypatch: pytest.MonkeyPatch, *, connects: bool
) -> None:
    async def talk(line: Line) -> None:
        await line.request()
        if connects:
            await line.say(b"HTTP/1.1 200 Go on\r\n\r\n")
        await line.left()

    async with WireServer(talk) as proxy:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
        await cancelled(ask(make(FAR)), lambda: len(proxy.lines) == 1)
        async with asyncio.timeout(0.2):
            await proxy.ended[0].wait()


@pytest.mark.usefixtures("no_remains")
@pytest.mark.parametrize("connects", [False, True], ids=["connect", "handshake"])
async def test_a_proxy_that_hangs(make: Make, monkeypatch: pytest.MonkeyPatch, *, connects: bool) -> None:
    async def talk(line: Line) -> None:
        await line.request()
        if connects:
            await line.say(b"HTTP/1.1 200 Go on\r\n\r\n")
        await line.left()

    async with WireServer(talk) as proxy:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
        client = make(FAR, patience=Patience(connect=0.2))
        await client.connections.route._trusted()  # takes a while, and shall not take it from these
        fault = await upstream_fault_of(ask(client))
        assert type(fault) is ProviderTimeoutError
        async with asyncio.timeout(0.2):
            await proxy.ended[0].wait()


@pytest.mark.usefixtures("no_remains")
async def test_a_handshake_that_hangs(make: Make) -> None:
    async with WireServer(hang) as server:
        client = make(server.base_url.replace("http:", "https:"), patience=Patience(connect=0.2))
        await client.connections.route._trusted()
        assert type(await upstream_fault_of(ask(client))) is ProviderTimeoutError
        async with asyncio.timeout(0.2):
            await server.ended[0].wait()


@pytest.mark.usefixtures("no_remains")
@pytest.mark.parametrize("part", [b"HTTP/1.1 102 Processing\r\n\r\n", b"HTTP/1.1 200 OK\r\nx: "])
async def test_a_part_of_a_head_in_the_very_turn_in_which_its_time_is_over(make: Make, part: bytes) -> None:
    async with WireServer(hang) as server:
        asking = asyncio.ensure_future(ask(make(server.base_url, patience=Patience(first_byte=0.6))))
        await settled(lambda: len(server.lines) == 1)
        await asyncio.sleep(0.02)
        os.write(server.lines[0].writer.get_extra_info("socket").fileno(), part)  # at once, and not a turn later
        time.sleep(0.65)  # noqa: ASYNC251 - the loop stands still, as it does on a busy machine
        async with asyncio.timeout(5):
            assert type(await upstream_fault_of(asking)) is ProviderTimeoutError
            await server.ended[0].wait()


@pytest.mark.usefixtures("no_remains")
@pytest.mark.parametrize("tls", [False, True])
async def test_closing_the_client_ends_what_is_read(make: Make, trusted: "Trusted", *, tls: bool) -> None:
    async with WireServer(saying(BEGUN, then=left), tls=trusted.context if tls else None) as server:
        client = make(server.base_url, ca_file=trusted.ca_file)
        stream = await ask(client)
        assert await stream.read() == b"hi"
        reading = asyncio.ensure_future(stream.read())
        await asyncio.sleep(0)
        await client.aclose()
        assert type(await upstream_fault_of(reading)) is ProviderCutError
        stream.close()
        async with asyncio.timeout(0.2):
            await server.ended[0].wait()
        assert "closed" in str(await upstream_fault_of(ask(client)))


@pytest.mark.usefixtures("no_remains")
async def test_an_answer_that_ends_with_its_connection_does_not_end_well_when_we_close_it(make: Make) -> None:
    async with WireServer(saying(b"HTTP/1.1 200 OK\r\n\r\n[1, 2", then=left)) as server:
        client = make(server.base_url)
        stream = await ask(client)
        whole = asyncio.ensure_future(stream.body())
        await asyncio.sleep(0.01)
        await client.aclose()
        assert type(await upstream_fault_of(whole)) is ProviderCutError
        stream.close()


@pytest.mark.usefixtures("no_remains")
async def test_closing_the_client_while_it_connects_sends_nothing(make: Make) -> None:
    heads: list[bytes] = []

    async def talk(line: Line) -> None:
        heads.append(await line.request())

    async with WireServer(talk) as server:
        client = make(server.base_url)
        asking = asyncio.ensure_future(ask(client))
        await asyncio.sleep(0)
        await client.aclose()
        assert type(await upstream_fault_of(asking)) is ProviderUnreachableError
        await settled(lambda: bool(server.ended) and server.ended[0].is_set())
        assert heads == []


@pytest.mark.usefixtures("no_remains")
@pytest.mark.parametrize("ends", [False, True])
async def test_the_end_of_a_finished_stream_is_drained_or_given_up(make: Make, *, ends: bool) -> None:
    go = asyncio.Event()

    async def talk(line: Line) -> None:
        await line.request()
        await line.say(BEGUN)
        await go.wait()
        await line.say(b"0\r\n\r\n" if ends else b"2\r\nho\r\n")
        await line.left()

    async with WireServer(talk) as server:
        client = make(server.base_url)
        stream = await ask(client)
        await stream.read()
        stream.hold()
        stream.finish()
        stream.close()
        go.set()
        if ends:
            await settled(lambda: len(client.connections.idle) == 1)
        await client.aclose()
        await server.ended[0].wait()
        assert [*client.connections.idle, *client.connections.busy, *client._drains] == []


async def test_a_call_that_is_over_leaves_no_timer(make: Make) -> None:
    async with WireServer(saying(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi")) as server:
        client = make(server.base_url)
        for end in (UpstreamStream.close, UpstreamStream.finish):
            stream = await ask(client)
            assert await stream.read() == b"hi"
            end(stream)
            assert stream._watch is None


async def test_a_thousand_calls_and_one_socket(make: Make) -> None:
    async with WireServer(saying(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi")) as server:
        client = make(server.base_url)
        for _ in range(1000):
            await body_of(client)
        assert len(server.lines) == 1
        assert len(client.connections.idle) == 1


class Trusted:
    """A certificate for 127.0.0.1, and the file of the authority that vouches for it."""

    def __init__(self, folder: str) -> None:
        authority = trustme.CA()
        self.ca_file = f"{folder}/ca.pem"
        authority.cert_pem.write_to_path(self.ca_file)
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("127.0.0.1").configure_cert(self.context)


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Trusted:
    return Trusted(str(tmp_path_factory.mktemp("trusted")))
