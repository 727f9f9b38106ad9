"""Follows a reply over HTTP: events become server-sent events, one write a batch.

Nothing is saved or decided here, so it does not matter when this ends: the turn is its own task. Over our own protocol
a batch is written to the socket in the call in which the reply grew (`server/direct.py`); elsewhere it goes ASGI's way.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
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
from daehwa.conversation.following import Batch, BatchSink
from daehwa.server.access_log import exchange_of
from daehwa.server.asgi import Receive, Scope, Send
from daehwa.server.direct import DirectBody, line_of
from daehwa.server.leaving import EndedWhenLeft

HEARTBEAT: Final = b":\n\n"
AT_ONCE_SECONDS: Final = 0.02
"""So long the head waits for what is told first."""
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
    """The answer of a streaming route, a plain ASGI application: `forward` writes the events into what it is given."""

    def __init__(self, forward: Callable[[BatchSink], Awaitable[None]]) -> None:
        self._forward = forward

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream until the reply has ended. Raise `ClientLeftError` when the client has left."""
        with EndedWhenLeft(scope, receive):
            line = line_of(scope)
            body = None if line is None else line.body(holds_head=True)
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            await (self._sent(send) if body is None else self._written(body, scope))
            await send({"type": "http.response.body", "body": b""})

    async def _written(self, body: DirectBody, scope: Scope) -> None:
        sink = _WrittenFrames(body)
        try:
            await self._forward(sink)
        finally:
            sink.close()
            body.close()
            exchange_of(scope).sent += body.sent

    async def _sent(self, send: Send) -> None:
        sink = _SentFrames(send)
        await sink.drained()
        await self._forward(sink)


# Some proxies pass the head on with the first byte of the body, and the model may think for long: so a sink begins with
# a sign of life, where it cannot begin with what is told.


class _WrittenFrames:
    """Writes each batch to the socket as it comes. A first one that comes at once takes the head along: one write, and
    no sign of life.
    """

    __slots__ = ("_body", "_sign_of_life", "drained")

    def __init__(self, body: DirectBody) -> None:
        self._body = body
        self.drained = body.drained
        loop = asyncio.get_running_loop()
        self._sign_of_life: asyncio.TimerHandle | None = loop.call_later(AT_ONCE_SECONDS, body.write, HEARTBEAT)

    def write(self, batch: Batch) -> bool:
        self.close()
        return self._body.write(frames(batch))

    def close(self) -> None:
        """Give no sign of life any more."""
        if self._sign_of_life is not None:
            self._sign_of_life.cancel()
            self._sign_of_life = None


class _SentFrames:
    """Sends by ASGI, which has to be waited for: it is full with every batch."""

    __slots__ = ("_send", "_waiting")

    def __init__(self, send: Send) -> None:
        self._send = send
        self._waiting = HEARTBEAT

    def write(self, batch: Batch) -> bool:
        self._waiting = frames(batch)
        return False

    async def drained(self) -> None:
        await self._send({"type": "http.response.body", "body": self._waiting, "more_body": True})
