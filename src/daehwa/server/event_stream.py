"""Follows a reply over HTTP: events become server-sent events, one write a batch.

Nothing is saved or decided here, so it does not matter when this ends: the turn is its own task. Per batch there is one
`send` and nothing else; one task a stream waits for the client to leave.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Final

import msgspec

from daehwa.conversation.events import (
    Heartbeat,
    Numbered,
    ReasoningDelta,
    ReplyEnded,
    StreamedEvent,
    TextDelta,
    TitleMade,
    ToolCallDelta,
    UsageReported,
)
from daehwa.server.asgi import Receive, Scope, Send

HEARTBEAT: Final = b":\n\n"
_HEADERS = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store, no-transform"),
    (b"x-accel-buffering", b"no"),
]
_encode = msgspec.json.Encoder().encode


def frame(numbered: Numbered) -> bytes:
    """Return an event as one SSE frame. JSON has no raw line breaks, so one `data:` line is enough."""
    event = numbered.event
    if isinstance(event, Heartbeat):
        return HEARTBEAT
    name, value = _named(event)
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (numbered.position, name, _encode(value))


def _named(event: StreamedEvent) -> tuple[bytes, object]:
    match event:
        case TextDelta(text):
            return b"delta", text
        case ReasoningDelta(text):
            return b"reasoning", text
        case ToolCallDelta():
            return b"tool", event
        case UsageReported(usage):
            return b"usage", usage
        case TitleMade():
            return b"title", event
        case ReplyEnded(status):
            return (b"error" if status in {"failed", "interrupted"} else b"done"), event
        case _:
            raise AssertionError(f"{type(event).__name__} has no place in the stream")


def frames(batch: Sequence[Numbered]) -> bytes:
    """Return a batch as the bytes of one write."""
    return b"".join(map(frame, batch))


class EventStream:
    """The answer of a streaming route, a plain ASGI application."""

    def __init__(self, batches: AsyncIterator[list[Numbered]]) -> None:
        self._batches = batches

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Stream until the reply has ended or the client has left."""
        left = asyncio.create_task(_until_left(receive), name="wait for the client to leave")
        try:
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            # Some proxies pass the head on with the first byte of the body, and the model may think for long.
            await send({"type": "http.response.body", "body": HEARTBEAT, "more_body": True})
            async for batch in self._batches:
                if left.done():
                    return
                await send({"type": "http.response.body", "body": frames(batch), "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            left.cancel()
            if isinstance(self._batches, AsyncGenerator):
                await self._batches.aclose()


async def _until_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
