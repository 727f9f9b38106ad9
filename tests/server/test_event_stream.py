"""A stream of events under a server that is not ours: it goes ASGI's way, and ends when its client leaves."""

import asyncio
from typing import Any

import pytest

from daehwa.conversation.events import Heartbeat, Numbered, TextDelta
from daehwa.conversation.following import BatchSink
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
