"""A stream of events whose client leaves: it ends, and its source is closed at once."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from daehwa.conversation.events import Heartbeat, Numbered, TextDelta
from daehwa.server.event_stream import HEARTBEAT, EventStream


async def test_a_stream_whose_client_has_left_ends_and_closes_its_source() -> None:
    has_left = asyncio.Event()
    sent: list[Any] = []
    closed = []

    async def endless() -> AsyncIterator[list[Numbered]]:
        try:
            yield [Numbered(3, TextDelta("Hi"))]
            has_left.set()
            while True:
                await asyncio.sleep(0)
                yield [Numbered(3, Heartbeat())]
        finally:
            closed.append(True)

    async def receive() -> dict[str, str]:
        await has_left.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    source = endless()  # held here, so that nothing but the stream closes it
    await asyncio.wait_for(EventStream(source)({}, receive, send), 5)
    assert closed == [True]
    assert sent[1] == {"type": "http.response.body", "body": HEARTBEAT, "more_body": True}
    assert sent[2] == {"type": "http.response.body", "body": b'id: 3\nevent: delta\ndata: "Hi"\n\n', "more_body": True}
    assert all(message.get("more_body", True) for message in sent), "nobody is told of an end that is none"
