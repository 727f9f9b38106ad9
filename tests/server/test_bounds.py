"""What one connection can make the server keep: trailers have an end and are no headers, requests sent ahead wait."""

import asyncio
import itertools
import time

import pytest
from server.serving import listening

from daehwa.server.asgi import Receive, Scope, Send
from daehwa.server.http_protocol import HEAD_BYTES, BoundedHttpProtocol

CHUNKED = b"POST / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n"
AHEAD = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"
MANY = 100_000


async def _names_of_headers(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the names of the headers, once the body is here."""
    while (await receive()).get("more_body", False):
        pass
    said = b",".join(name for name, _ in scope["headers"])
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(said))]})
    await send({"type": "http.response.body", "body": said})


@pytest.mark.parametrize("cut", [1, 2, len(CHUNKED)])
async def test_trailers_are_no_headers(cut: int) -> None:
    sent = CHUNKED + b"X-Forwarded-For: 198.51.100.7\r\nIdempotency-Key: a\r\n\r\n"
    async with listening(_names_of_headers) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for piece in (
            sent[:-cut],
            sent[-cut:],
            b"GET / HTTP/1.1\r\nHost: here\r\nX-Own: b\r\nConnection: close\r\n\r\n",
        ):
            writer.write(piece)
            await asyncio.sleep(0.01)
        said = await asyncio.wait_for(reader.read(), 10)
        writer.close()
    assert said.count(b"HTTP/1.1 200") == 2
    assert b"host,transfer-encoding" in said
    assert said.endswith(b"host,x-own,connection")


async def _sent_until_closed(port: int, line: bytes, most: int) -> int:
    """Return how many bytes of trailers the server took."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(CHUNKED + b"X: ")
    sent = 0
    try:
        while sent < most:
            writer.write(line * 500)
            await writer.drain()
            sent += len(line) * 500
            await asyncio.sleep(0)
    except ConnectionError:
        pass
    finally:
        writer.close()
    return sent


@pytest.mark.parametrize("line", [b"X: y\r\n", b"y"], ids=["many", "one"])
async def test_trailers_without_an_end_have_one(line: bytes) -> None:
    async with listening(_names_of_headers) as port:
        assert await _sent_until_closed(port, line, 100 * HEAD_BYTES) < 100 * HEAD_BYTES


class Noted(BoundedHttpProtocol):
    """Says how many requests waited at most."""

    most = 0

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        Noted.most = max(Noted.most, len(self.pipeline))


async def test_requests_sent_ahead_are_heard_as_quickly_as_they_are_answered() -> None:
    gate = asyncio.Event()

    async def waits(scope: Scope, receive: Receive, send: Send) -> None:
        await gate.wait()
        await _names_of_headers(scope, receive, send)

    Noted.most = 0
    async with listening(waits, Noted) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(AHEAD * MANY + AHEAD.replace(b"Host", b"Connection: close\r\nHost"))
        await asyncio.sleep(0.5)
        gate.set()
        answered = (await asyncio.wait_for(reader.read(), 120)).count(b"HTTP/1.1 200")
        writer.close()
    assert answered == MANY + 1
    assert Noted.most < MANY / 5


async def test_a_body_in_small_pieces_is_no_trailer() -> None:
    """Its sizes and what ends its chunks come in reads of their own."""
    pieces = itertools.chain.from_iterable((b"1\r\n", b"a", b"\r\n") for _ in range(100))
    async with listening(_names_of_headers) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST / HTTP/1.1\r\nHost: here\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n")
        began = time.monotonic()
        for piece in (*pieces, b"0\r\n\r\n"):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.001)
        assert (await asyncio.wait_for(reader.read(), 10)).startswith(b"HTTP/1.1 200")
        writer.close()
    assert time.monotonic() - began < 10
