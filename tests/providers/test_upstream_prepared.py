"""A connection made before it is needed, against real sockets: one, used by what comes next, and nobody's trouble."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme
from providers.client_asks import body_of, settled, upstream_fault_of
from providers.conftest import Connect, Make
from providers.test_upstream_route import Proxy
from upstream import FakeUpstream, server_side
from wire_server import Line, WireServer, end, left, saying

from daehwa.conversation.errors import ProviderUnreachableError
from daehwa.http_client.connections import READY_SECONDS
from daehwa.providers.gate import FAILURES
from daehwa.providers.upstream_client import UpstreamClient

pytestmark = pytest.mark.both_loops

SHORT = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"


async def prepared(client: UpstreamClient) -> None:
    client.prepare()
    await settled(lambda: client._preparing is None)


async def prepared_over_tls(client: UpstreamClient, upstream: FakeUpstream) -> None:
    await prepared(client)
    await settled(lambda: upstream.connections == 1 and client.connections.is_ready)  # its tickets come after the rest


async def test_the_next_request_finds_its_tls_done(make: Make, tmp_path: Path, authority: trustme.CA) -> None:
    async with FakeUpstream(tls=server_side(authority, "127.0.0.1")) as upstream:
        client = make(upstream.base_url, ca_file=str(tmp_path / "ca.pem"))
        await prepared_over_tls(client, upstream)
        assert upstream.requests == []
        for _ in range(2):
            assert b"gpt-test" in await body_of(client)
        assert upstream.connections == 1


async def test_ten_words_at_once_make_one_connection(make: Make) -> None:
    async with WireServer(saying(SHORT)) as server:
        client = make(server.base_url)
        for _ in range(10):
            client.prepare()
        await settled(lambda: client._preparing is None)
        for _ in range(10):
            await prepared(client)
        assert len(server.lines) == 1


async def test_none_is_made_beside_one_that_was_used(make: Make) -> None:
    async with WireServer(saying(SHORT)) as server:
        client = make(server.base_url)
        await body_of(client)
        await prepared(client)
        assert len(server.lines) == 1


@pytest.mark.parametrize("clock", ["idle_since", "idle_since_date"])
async def test_one_that_will_soon_be_too_old_is_followed_by_another(make: Make, clock: str) -> None:
    async with WireServer(saying(SHORT)) as server:
        client = make(server.base_url)
        await prepared(client)
        first = client.connections.idle[0]
        setattr(first, clock, getattr(first, clock) - READY_SECONDS - 1)
        await prepared(client)
        assert len(server.lines) == 2
        await body_of(client)
        assert client.connections.idle[0] is first  # the newer one was used


@pytest.fixture
def by_proxy(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return lambda port: monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")


async def test_through_a_proxy(
    make: Make, by_proxy: Callable[[int], None], tmp_path: Path, authority: trustme.CA
) -> None:
    async with FakeUpstream(tls=server_side(authority, "upstream.test")) as upstream:
        proxy = Proxy(upstream.port)
        async with WireServer(proxy.talk) as server:
            by_proxy(server.port)
            client = make("https://upstream.test/v1", ca_file=str(tmp_path / "ca.pem"))
            await prepared_over_tls(client, upstream)
            assert b"gpt-test" in await body_of(client)
            assert (upstream.connections, len(proxy.heads)) == (1, 1)
            await client.aclose()


async def test_a_request_does_not_wait_for_one_that_is_being_made(
    make: Make, by_proxy: Callable[[int], None], tmp_path: Path, authority: trustme.CA
) -> None:
    async with FakeUpstream(tls=server_side(authority, "upstream.test")) as upstream:
        proxy = Proxy(upstream.port)
        async with WireServer(lambda line: left(line) if line.number == 1 else proxy.talk(line)) as server:
            by_proxy(server.port)
            client = make("https://upstream.test/v1", ca_file=str(tmp_path / "ca.pem"))
            client.prepare()
            await settled(lambda: len(server.lines) == 1)
            assert b"gpt-test" in await asyncio.wait_for(body_of(client), 5)
            assert client._preparing is not None
            await client.aclose()


async def test_what_the_upstream_says_unasked_closes_it(make: Make) -> None:
    async def talk(line: Line) -> None:
        if line.number == 1:
            await line.say(b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n")
            await line.left()
            return
        await saying(SHORT)(line)

    async with WireServer(talk) as server:
        client = make(server.base_url)
        await prepared(client)
        await settled(lambda: not client.connections.idle)
        assert await body_of(client) == b"hi"
        assert len(server.lines) == 2


async def test_one_that_the_upstream_closed_meanwhile_is_missed_by_nobody(make: Make) -> None:
    async with WireServer(lambda line: end(line) if line.number == 1 else saying(SHORT)(line)) as server:
        client = make(server.base_url)
        await prepared(client)
        await server.ended[0].wait()
        assert await body_of(client) == b"hi"
        assert len(server.lines) == 2


async def test_a_request_that_meets_the_upstreams_goodbye_is_sent_again_once(make: Make) -> None:
    async def talk(line: Line) -> None:
        await line.request()
        if line.number > 1:
            await line.say(SHORT)
            await line.left()

    async with WireServer(talk) as server:
        client = make(server.base_url)
        await prepared(client)
        assert await body_of(client) == b"hi"
        assert len(server.lines) == 2


async def test_an_upstream_that_is_not_there_is_told_to_the_request_alone(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    async with WireServer(left) as server:
        gone = server.base_url
    client = make(gone)
    with caplog.at_level(logging.DEBUG):
        await prepared(client)
        await prepared(client)
    assert [record for record in caplog.records if record.name != "asyncio"] == []
    assert type(await upstream_fault_of(client.get("models"))) is ProviderUnreachableError


async def test_an_upstream_that_closes_without_a_word_gets_none(make: Make) -> None:
    async with WireServer(saying(SHORT)) as server:
        await prepared(make(server.base_url, keep_alive=False))
        assert server.lines == []


async def test_one_that_is_being_made_goes_with_the_client(make: Make) -> None:
    async with WireServer(left) as server:  # it never answers the first word of TLS
        client = make(server.base_url.replace("http:", "https:"))
        client.prepare()
        await settled(lambda: len(server.lines) == 1)
        await client.aclose()
        await asyncio.wait_for(server.ended[0].wait(), 5)  # half of what connecting may take
        client.prepare()
        await settled(lambda: client._preparing is None)
        assert len(server.lines) == 1


async def test_one_whose_circuit_is_open_is_left_alone(connect: Connect) -> None:
    async with WireServer(saying(SHORT)) as server:
        provider = connect(server.base_url)
        for _ in range(FAILURES):
            provider.upstream_gate.circuit.failed("It is down.")
        provider.prepare()
        assert provider._client is None
        assert server.lines == []
