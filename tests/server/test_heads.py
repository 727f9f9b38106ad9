"""The heads that are written here are uvicorn's own, byte for byte, and what uvicorn refuses is refused. Clients of
HTTP/1.0 alone get no chunks, which uvicorn sends them.
"""

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


OLD = b"GET / HTTP/1.0\r\n"
OLD_REQUESTS = {"one": OLD, "that would keep its connection": OLD + b"connection: keep-alive\r\n"}


async def streaming(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [JSON]})
    for piece in (b"[1", b"", b",2]"):
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b"\n"})


@pytest.mark.parametrize("request_", OLD_REQUESTS.values(), ids=OLD_REQUESTS)
async def test_an_old_client_reads_to_the_end_of_its_connection(request_: bytes) -> None:
    head = [b"HTTP/1.1 200 OK", b"content-type: application/json", b"connection: close", b""]
    assert await told(streaming, BoundedHttpProtocol, request_ + b"\r\n") == [*head, b"[1,2]\n"]
    ends = await told(answering(*ANSWERS["in chunks"]), BoundedHttpProtocol, request_ + b"\r\n")
    assert ends[-3:] == [b"connection: close", b"", b"{}"]
    assert b"transfer-encoding: chunked" not in ends


@pytest.mark.parametrize("request_", [*OLD_REQUESTS.values(), b"HEAD / HTTP/1.0\r\n"])
@pytest.mark.parametrize("name", ["of a length", "without a body", "of nothing new", "that ends the connection"])
async def test_an_old_client_is_told_a_length_as_any_other(name: str, request_: bytes) -> None:
    expected = await told(answering(*ANSWERS[name]), HttpToolsProtocol, request_ + b"\r\n")
    assert await told(answering(*ANSWERS[name]), BoundedHttpProtocol, request_ + b"\r\n") == expected
    assert b"transfer-encoding: chunked" not in expected
