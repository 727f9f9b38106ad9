"""Nobody who names addresses to us has us ask where they could not reach themselves."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from daehwa.http_client.client import HttpClient
from daehwa.http_client.errors import ConnectFailed
from daehwa.http_client.inward import NoFurtherIn, depth_of

OUTSIDE = ["1.1.1.1", "93.184.215.14", "2606:4700::1111", "64:ff9b::101:101", "::ffff:8.8.8.8", "2002:808:808::1"]
OWN_NETWORK = [
    *("10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.254", "192.168.0.1", "100.64.0.1", "fd12:3456::1"),
    *("::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::1", "fc00::1%eth0"),
]
THIS_MACHINE = [
    *("127.0.0.1", "127.1.2.3", "::1", "0.0.0.0", "::", "169.254.169.254", "169.254.170.2", "fe80::1", "fe80::1%1"),  # noqa: S104 - not listened on
    *("::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "2002:7f00:1::", "fd00:ec2::254"),
    *("100.100.100.200", "224.0.0.1", "ff02::1", "255.255.255.255", "240.0.0.1", "192.0.2.1", "2001:db8::1", "", "x"),
]


@pytest.mark.parametrize(
    ("depth", "address"),
    [*((0, each) for each in OUTSIDE), *((1, each) for each in OWN_NETWORK), *((2, each) for each in THIS_MACHINE)],
)
def test_how_far_inside_an_address_lies(depth: int, address: str) -> None:
    assert depth_of(address) == depth


ISSUER, OTHER = "https://login.example", "https://keys.example"


@pytest.mark.parametrize("inside", [*OWN_NETWORK, *THIS_MACHINE])
def test_an_issuer_outside_leads_nowhere_inside(inside: str) -> None:
    guard = NoFurtherIn(ISSUER)
    assert not guard.allows(OTHER, inside), "before anything is known"
    assert guard.allows(ISSUER, OUTSIDE[0])
    assert guard.allows(OTHER, OUTSIDE[1])
    assert not guard.allows(OTHER, inside)


def test_an_issuer_inside_leads_to_its_own_network_and_no_further() -> None:
    guard = NoFurtherIn(ISSUER)
    assert guard.allows(ISSUER, "10.0.0.1"), "the settings name it, so it may lie anywhere"
    assert guard.allows(OTHER, "192.168.1.1")
    assert not guard.allows(OTHER, "169.254.169.254")
    assert not guard.allows(OTHER, "127.0.0.1")


@asynccontextmanager
async def a_server() -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server on this machine, and what was said to it."""
    heard: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(1000))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", heard


async def test_not_a_byte_is_sent_where_the_guard_says_no() -> None:
    async with a_server() as (address, heard):
        guarded = HttpClient(guard=NoFurtherIn("https://login.example"))
        with pytest.raises(ConnectFailed, match="further inside"):
            await guarded.fetch("GET", f"{address}/latest/meta-data", seconds=5)
        await guarded.aclose()
        assert [said for said in heard if said] == []
        issuer = HttpClient(guard=NoFurtherIn(address))
        assert (await issuer.fetch("GET", f"{address}/keys", seconds=5)).body == b"hi"
        await issuer.aclose()
