"""The heads that are written here are uvicorn's own, byte for byte, and what uvicorn refuses is refused."""

import asyncio
import logging

import pytest
from server.serving import listening
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from daehwa.server.asgi import ASGIApp, Headers, Receive, Scope, Send
from daehwa.server.http_protocol import BoundedHttpProtocol

JSON = (b"content-type", b"application/json")
ANSWERS: dict[str, tuple[int, Headers, bytes]] = {
    "of a length": (200, [JSON, (b"content-length", b"2")], b"{}"),
    "in chunks": (200, [JSON, (b"x-request-id", b"a b\tc")], b"{}"),
    "without headers": (404, [], b""),
    "without a body": (204, [], b""),
    "of nothing new": (304, [(b"etag", b'"x"')], b""),
    "that ends the connection": (200, [(b"connection", b"close"), (b"content-length", b"2")], b"{}"),
    "that says it comes in chunks": (200, [(b"transfer-encoding", b"chunked")], b"{}"),
    "whose value has a line of its own": (200, [(b"x-request-id", b"a\r\nset-cookie: b=c")], b"{}"),
    "whose value ends the head": (200, [(b"x-request-id", b"a\n\nb")], b"{}"),
    "whose value has a nought": (200, [(b"x-request-id", b"a\0b")], b"{}"),
    "whose name has a line of its own": (200, [(b"x-a: b\r\nx-c", b"d")], b"{}"),
}
GET = b"GET / HTTP/1.1\r\nhost: x\r\n"
REQUESTS = {
    "one": GET + b"\r\n",
    "the last of its connection": GET + b"connection: close\r\n\r\n",
    "of an old client": b"GET / HTTP/1.0\r\n\r\n",
    "for the head alone": b"HEAD / HTTP/1.1\r\nhost: x\r\n\r\n",
}


def answering(status: int, headers: Headers, body: bytes) -> ASGIApp:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


async def told(app: ASGIApp, protocol: type[HttpToolsProtocol], request: bytes) -> list[bytes]:
    """Return the lines that come back, but for the date."""
    async with listening(app, protocol) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request)
        writer.write_eof()
        async with asyncio.timeout(5):
            answer = await reader.read()
        writer.close()
    return [line for line in answer.split(b"\r\n") if not line.startswith(b"date: ")]


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
async def test_it_is_what_uvicorn_says(
    answer: tuple[int, Headers, bytes], request_: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    expected = await told(answering(*answer), HttpToolsProtocol, request_)
    assert expected == [b""] or expected[0].startswith(b"HTTP/1.1 "), "what is refused is cut off"
    assert await told(answering(*answer), BoundedHttpProtocol, request_) == expected
    assert b"set-cookie: b=c" not in expected
