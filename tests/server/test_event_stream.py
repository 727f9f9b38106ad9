"""A stream of events: over our own line its beginning goes in one write, under another server it goes ASGI's way."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from server.serving import listening

from daehwa.conversation.events import Heartbeat, Numbered, TextDelta
from daehwa.conversation.following import BatchSink
from daehwa.server.access_log import AccessLog, Traffic
from daehwa.server.asgi import ClientLeftError
from daehwa.server.event_stream import HEARTBEAT, EventStream


async def test_a_stream_whose_client_has_left_ends_and_so_does_its_source() -> None:
    has_left = asyncio.Event()
    sent: list[Any] = []
    closed = []

    async def endless(sink: BatchSink) -> None:
        try:
            assert not sink.write([Numbered(3, TextDelta("Hi"))])
            await sink.drained()
            has_left.set()
            while True:
                await asyncio.sleep(0)
                assert not sink.write([Numbered(3, Heartbeat())])
                await sink.drained()
        finally:
            closed.append(True)

    async def receive() -> dict[str, str]:
        await has_left.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    with pytest.raises(ClientLeftError):
        await asyncio.wait_for(EventStream(endless)({}, receive, send), 5)
    assert closed == [True]
    assert sent[1] == {"type": "http.response.body", "body": HEARTBEAT, "more_body": True}
    assert sent[2] == {"type": "http.response.body", "body": b'id: 3\nevent: delta\ndata: "Hi"\n\n', "more_body": True}
    assert all(message.get("more_body", True) for message in sent), "nobody is told of an end that is none"


async def beginning(forward: Callable[[BatchSink], Awaitable[None]]) -> bytes:
    """Return what is read first of a stream's body, by our own server's line."""
    async with listening(AccessLog(EventStream(forward), Traffic())) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
        async with asyncio.timeout(5):
            read = await reader.read(65536)
        writer.close()
    head, _, body = read.partition(b"\r\n\r\n")
    assert b"content-type: text/event-stream" in head
    return body.partition(b"\r\n")[2].removesuffix(b"\r\n")


@pytest.mark.both_loops
async def test_what_is_told_at_once_takes_the_head_along() -> None:
    async def at_once(sink: BatchSink) -> None:
        sink.write([Numbered(3, TextDelta("Hi"))])
        await asyncio.Event().wait()

    assert await beginning(at_once) == b'id: 3\nevent: delta\ndata: "Hi"\n\n'


@pytest.mark.both_loops
async def test_a_model_that_thinks_is_announced_by_a_sign_of_life() -> None:
    async def thinking(_sink: BatchSink) -> None:
        await asyncio.Event().wait()

    assert await beginning(thinking) == HEARTBEAT
