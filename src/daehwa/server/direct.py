"""The short way between an answer and its socket, which this server's own protocol offers beside ASGI.

ASGI hands on every piece of a body through a coroutine, and tells that the client has left only to who waits for it, a
task for each stream. Over a `Line` the bytes of a streamed body are written in the callback in which they came, and the
client's leaving is one call. What a line does not offer (another server, HTTP/1.0) goes ASGI's way.
"""

import asyncio
import weakref
from collections.abc import Callable, MutableMapping
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

LINE = "daehwa.line"
"""The line's name among a scope's extensions."""
STALLED_SECONDS = 120.0
"""Within so long a client whose connection is full has to read on. It has a place at the upstream for as long."""
LEAST_READ_BYTES = 16 * 1024
"""So much at least, or all that waits: who reads slowly is not cut off, who reads nothing to speak of is."""


class LineHolder:
    """What a protocol needs in order to tell a line's answer that the client has left."""

    __slots__ = ("_listener", "is_gone")

    def __init__(self) -> None:
        self.is_gone = False
        self._listener: Callable[[], None] | None = None

    def listen(self, listener: Callable[[], None] | None) -> None:
        """Call this once the client has left; None: nobody any more. Answers come one at a time, so it is one."""
        self._listener = listener

    def left(self) -> None:
        """Tell that the client has left."""
        self.is_gone = True
        listener, self._listener = self._listener, None
        if listener is not None:
            listener()


class Line:
    """One request's way to its connection."""

    __slots__ = ("_cycle", "holder")

    def __init__(self, holder: LineHolder, cycle: "RequestResponseCycle") -> None:
        self.holder = holder
        self._cycle = weakref.ref(cycle)  # the cycle has the scope, and the scope has this

    @property
    def has_whole_body(self) -> bool:
        """Whether all of the request's body has come, so that whoever reads it waits for nothing."""
        cycle = self._cycle()
        return cycle is not None and not cycle.more_body

    def body(self, *, holds_head: bool = False) -> "DirectBody | None":
        """Return the sink for a streamed body, before the head is sent; None where the body has to go ASGI's way.
        Where it `holds_head`, the head leaves with the body's first bytes, however late they come.
        """
        cycle = self._cycle()
        if cycle is None or cycle.scope["http_version"] != "1.1" or cycle.scope["method"] == "HEAD":
            return None
        return DirectBody(cycle, holds_head=holds_head)

    def cut(self) -> None:
        """End the connection with what was written by now, so that the body is not taken for whole."""
        cycle = self._cycle()
        if cycle is not None:
            cycle.disconnected = True
            cycle.transport.close()

    def disconnect(self) -> None:
        """Note that the client has left: uvicorn tells its newest request alone, and there may be one sent ahead."""
        cycle = self._cycle()
        if cycle is not None:
            cycle.disconnected = True

    def join(self) -> None:
        """Let the head, which is sent next, leave with the body, which is sent in one piece and right after it."""
        cycle = self._cycle()
        if cycle is not None and cycle.scope["method"] != "HEAD":
            cycle.transport = cast("asyncio.Transport", _Joined(cycle))


def line_of(scope: MutableMapping[str, Any]) -> Line | None:
    """Return the request's line, None under another server."""
    found: Line | None = scope.get("extensions", {}).get(LINE)
    return found


class _Joined:
    """Stands in for the transport until two things are written, and writes them as one."""

    __slots__ = ("_cycle", "_first", "_transport")

    def __init__(self, cycle: "RequestResponseCycle") -> None:
        self._cycle = cycle
        self._transport = cycle.transport
        self._first: bytes | None = None

    def write(self, data: bytes) -> None:
        if self._first is None:
            self._first = data
        else:
            self._cycle.transport = self._transport
            self._transport.write(self._first + data)

    def close(self) -> None:
        self._cycle.transport = self._transport
        self._transport.close()


class _HeldHead:
    """Stands in for the transport while the head is sent, so that it leaves with the first bytes of the body."""

    __slots__ = ("data",)

    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> None:
        self.data += data


class DirectBody:
    """A sink that writes to the socket. Make it, send the head by ASGI, write, `close` it, send the end by ASGI.

    `sent` counts the bytes of the body. What it writes is chunked, so the head must not name a length.
    """

    __slots__ = ("_cycle", "_flow", "_head", "_patience", "_transport", "sent")

    def __init__(
        self, cycle: "RequestResponseCycle", *, patience: float = STALLED_SECONDS, holds_head: bool = False
    ) -> None:
        self.sent = 0
        self._patience = patience
        self._cycle = cycle
        self._flow = cycle.flow
        self._transport = cycle.transport
        self._head: _HeldHead | None = _HeldHead()
        cycle.transport = cast("asyncio.Transport", self._head)
        if not holds_head:  # the model may think for long before it says a word: then the head goes alone
            asyncio.get_running_loop().call_soon(self.flush)

    def write(self, piece: bytes) -> bool:
        """Send a piece; return False while the client reads more slowly than it comes."""
        self.sent += len(piece)
        data = b"%x\r\n%b\r\n" % (len(piece), piece)
        if self._head is not None:
            data = self._head_released() + data
        self._send(data)
        return not self._flow.write_paused

    def _send(self, data: bytes) -> None:
        if not self._transport.is_closing():  # uvloop's raises where asyncio's drops what comes too late
            self._transport.write(data)

    async def drained(self) -> None:
        """Return when the client has read on, or left. One that reads nothing any more is taken to have left."""
        waiting = self._transport.get_write_buffer_size()
        while self._flow.write_paused:
            try:
                async with asyncio.timeout(self._patience):
                    await self._flow.drain()
            except TimeoutError:
                before, waiting = waiting, self._transport.get_write_buffer_size()
                if before - waiting < LEAST_READ_BYTES:
                    self._transport.abort()
                    return

    def flush(self) -> None:
        """Let the head go, if it has not gone yet."""
        if self._head is not None and (head := self._head_released()):
            self._send(head)

    close = flush

    def _head_released(self) -> bytes:
        head = b"" if self._head is None else self._head.data
        self._head, self._cycle.transport = None, self._transport
        return head
