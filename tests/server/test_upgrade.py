"""A request that offers another protocol, as Java's own client does with each, is read as one that does not."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import pytest
from server.serving import listening

from daehwa.server.asgi import Receive, Scope, Send
from daehwa.server.http_protocol import MANY_SENT_AHEAD

OFFERS = (
    ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"),
    ("connection: keep-alive, upgrade", "upgrade: websocket"),
    ("Connection: Upgrade", "Upgrade: TLS/1.2"),
    ("Connection: foo", "Connection: upgrade", "Upgrade: foo/2, bar"),
)
LONGER_THAN_A_SOCKET_READS = 700_000


async def _echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the method, the target, the options of the connection and the length of the body."""
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    options = [value.decode() for name, value in scope["headers"] if name in {b"connection", b"upgrade"}]
    said = f"{scope['method']} {scope['path']} {options} {size}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(said))]})
    await send({"type": "http.response.body", "body": said})


async def _said(port: int, pieces: Sequence[bytes]) -> str:
    """Send these pieces and return all that comes until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0.01)
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return answer.decode()


def _head(offer: Sequence[str], *more: str, target: str = "/a") -> bytes:
    return "\r\n".join([f"POST {target} HTTP/1.1", "Host: here", *offer, *more, "", ""]).encode()


LAST = b"GET /last HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize("offer", OFFERS)
@pytest.mark.parametrize("size", [0, 5, LONGER_THAN_A_SOCKET_READS])
async def test_its_body_is_read_and_no_request_is_seen_in_it(offer: Sequence[str], size: int) -> None:
    body = (b"GET /in-the-body HTTP/1.1\r\n\r\n" * (size // 28 + 1))[:size]
    head = _head(offer, f"Content-Length: {size}")
    async with listening(_echo) as port:
        for pieces in ([head + body + LAST], [head, body, LAST], [head[:40], head[40:], body[:3], body[3:] + LAST]):
            said = await _said(port, pieces)
            assert said.count("HTTP/1.1 200") == 2
            kept = "['foo']" if "foo" in offer[0] else "['keep-alive']" if "keep" in offer[0] else "[]"
            assert f"POST /a {kept} {size}" in said
            assert "GET /last ['close'] 0" in said


async def test_chunks_a_target_with_a_host_and_a_wish_to_close_are_kept() -> None:
    offer = ("Connection: upgrade, close", "Upgrade: h2c", "Transfer-Encoding: chunked", "Expect: 100-continue")
    head = _head(offer, target="http://here/b?c=%20d")
    async with listening(_echo) as port:
        said = await _said(port, [head, b"3\r\nabc\r\n0\r\n\r\n"])
    assert said.startswith("HTTP/1.1 100 Continue")
    assert "POST /b ['close'] 3" in said


@pytest.mark.parametrize("offers", [False, True])
async def test_what_follows_a_last_request_breaks_it_no_more_than_without_an_offer(*, offers: bool) -> None:
    offer = ("Connection: close, Upgrade", "Upgrade: h2c") if offers else ("Connection: close",)
    async with listening(_echo) as port:
        said = await _said(port, [_head(offer, "Content-Length: 5") + b"abcde" + b"\r\nnothing more"])
    assert said.startswith("HTTP/1.1 200")
    assert "POST /a ['close'] 5" in said


async def test_many_offers_at_once_end_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    said = ""
    async with listening(_echo) as port:
        with suppress(ConnectionError):  # what the server left unread resets it
            said = await _said(port, [_head(OFFERS[0], "Content-Length: 0") * 4000])
        assert said.count("HTTP/1.1 200") <= MANY_SENT_AHEAD
        assert "GET /last ['close'] 0" in await _said(port, [LAST])
    assert not [record for record in caplog.records if record.exc_info]


async def test_a_wrong_length_stays_wrong() -> None:
    async with listening(_echo) as port:
        said = await _said(port, [_head(OFFERS[0], "Content-Length: 3", "Content-Length: 4") + b"abcd"])
    assert said.startswith("HTTP/1.1 400")
