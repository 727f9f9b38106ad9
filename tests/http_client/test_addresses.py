"""Names with several addresses, of which some lead nowhere: sockets that are real, names that are made up."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from typing import TypeAlias

import pytest
from wire_server import Line, WireServer, left, saying

from daehwa.http_client.addresses import addresses_of, first_reached
from daehwa.http_client.client import HttpClient
from daehwa.http_client.connection import Connection
from daehwa.http_client.errors import ConnectFailed, TimedOut

pytestmark = pytest.mark.both_loops

SHORT = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"
Named: TypeAlias = Callable[..., None]


@pytest.fixture
async def named(monkeypatch: pytest.MonkeyPatch) -> Named:
    """Let every name have these addresses."""

    def name(*addresses: str) -> None:
        async def getaddrinfo(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
            assert host == "acme.test"
            families = [socket.AF_INET6 if ":" in each else socket.AF_INET for each in addresses]
            return [
                (family, socket.SOCK_STREAM, 6, "", (each, port))
                for family, each in zip(families, addresses, strict=True)
            ]

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)

    return name


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    """A client; in the end nothing may be left of what was tried, and asyncio must not have complained."""
    complaints: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, told: complaints.append(told))
    made = HttpClient(use_proxy=False, connect_seconds=2)
    yield made
    await made.aclose()
    async with asyncio.timeout(5):
        while asyncio.all_tasks() != {asyncio.current_task()}:  # noqa: ASYNC110 - it sets no event
            await asyncio.sleep(0.001)
    assert complaints == []


@pytest.fixture
def hole() -> Iterator[Callable[[str, int], None]]:
    """Let an address swallow what it is sent: the kernel drops further connections once the queue is full."""
    with ExitStack() as opened:

        def dig(host: str, port: int) -> None:
            full = opened.enter_context(socket.create_server((host, port), backlog=0))
            for _ in range(4):
                one = opened.enter_context(socket.socket())
                one.setblocking(False)
                one.connect_ex(full.getsockname())

        yield dig


async def test_an_address_that_leads_nowhere_is_passed_by(
    client: HttpClient, named: Named, hole: Callable[[str, int], None]
) -> None:
    named("127.0.0.1", "127.0.0.2")
    began = asyncio.get_running_loop().time()
    async with WireServer(saying(SHORT), host="127.0.0.2") as server:
        hole("127.0.0.1", server.port)
        assert (await client.fetch("GET", f"http://acme.test:{server.port}/")).body == b"hi"
        assert len(server.lines) == 1
    assert asyncio.get_running_loop().time() - began < 1.5


async def test_an_address_that_refuses_is_passed_by_at_once(client: HttpClient, named: Named) -> None:
    named("127.0.0.3", "127.0.0.4", "127.0.0.5", "127.0.0.6", "127.0.0.7", "127.0.0.8", "127.0.0.9", "127.0.0.2")
    began = asyncio.get_running_loop().time()
    async with WireServer(saying(SHORT), host="127.0.0.2") as server:
        assert (await client.fetch("GET", f"http://acme.test:{server.port}/")).body == b"hi"
    assert asyncio.get_running_loop().time() - began < 1


async def test_the_first_that_stands_is_used_and_no_other_tried(client: HttpClient, named: Named) -> None:
    named("127.0.0.1", "127.0.0.2")
    async with WireServer(saying(SHORT)) as server, WireServer(saying(SHORT), host="127.0.0.2") as other:
        await client.fetch("GET", f"http://acme.test:{server.port}/")
        assert (len(server.lines), other.lines) == (1, [])


async def test_where_none_leads_anywhere_the_time_for_connecting_holds(
    named: Named, hole: Callable[[str, int], None], unused_tcp_port: int
) -> None:
    named("127.0.0.1", "127.0.0.2")
    for host in ("127.0.0.1", "127.0.0.2"):
        hole(host, unused_tcp_port)
    client = HttpClient(use_proxy=False, connect_seconds=0.4)
    with pytest.raises(TimedOut, match=r"no connection to acme\.test:\d+ within 0\.4 s"):
        await client.fetch("GET", f"http://acme.test:{unused_tcp_port}/")
    await client.aclose()


async def test_where_all_refuse_it_says_so(client: HttpClient, named: Named, unused_tcp_port: int) -> None:
    named("127.0.0.1", "127.0.0.2")
    with pytest.raises(ConnectFailed, match=r"acme\.test:\d+ cannot be reached: connection refused"):
        await client.fetch("GET", f"http://acme.test:{unused_tcp_port}/")


@pytest.mark.usefixtures("client")
async def test_those_that_are_late_are_closed(named: Named) -> None:
    named("127.0.0.1", "127.0.0.2")
    seen: list[Line] = []

    async def talk(line: Line) -> None:
        seen.append(line)
        await left(line)

    async def open_one(at: str) -> tuple[asyncio.Transport, Connection]:
        loop = asyncio.get_running_loop()
        opened = await loop.create_connection(lambda: Connection(lambda _: None), at, server.port)
        await both.wait()  # so that both stand in the same turn of the loop
        return opened

    both = asyncio.Event()
    async with WireServer(talk, host="0.0.0.0") as server:  # noqa: S104 - two addresses of loopback at once
        addresses = await addresses_of("acme.test", server.port)
        reaching = asyncio.ensure_future(first_reached(addresses, open_one))
        async with asyncio.timeout(10):
            while len(seen) < 2:  # noqa: ASYNC110 - sockets set no events
                await asyncio.sleep(0.01)
            both.set()
            transport, _ = await reaching
            while sum(ended.is_set() for ended in server.ended) < 1:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.01)
        assert not transport.is_closing()
        assert transport.get_extra_info("peername")[0] == "127.0.0.1"
        transport.abort()


async def test_cancelled_at_any_moment_nothing_stays_open(client: HttpClient, named: Named) -> None:
    named("127.0.0.3", "127.0.0.1")
    async with WireServer(left) as server:
        for turns in range(25):
            asking = asyncio.ensure_future(client.fetch("GET", f"http://acme.test:{server.port}/"))
            for _ in range(turns):
                await asyncio.sleep(0)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
        async with asyncio.timeout(5):
            while not all(ended.is_set() for ended in server.ended):  # noqa: ASYNC110 - there may be more of them
                await asyncio.sleep(0.01)


async def test_families_take_turns(named: Named) -> None:
    named("2001:db8::1", "2001:db8::2", "2001:db8::3", "192.0.2.1")
    assert await addresses_of("acme.test", 443) == ["2001:db8::1", "192.0.2.1", "2001:db8::2", "2001:db8::3"]
    named("192.0.2.1")
    assert await addresses_of("acme.test", 443) == ["192.0.2.1"]
