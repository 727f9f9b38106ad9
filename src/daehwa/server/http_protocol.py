"""One connection of a client: uvicorn's protocol, with bounds on heads, a line for what is written directly, and less
that is held while it streams.
"""

import asyncio
import re
import sys
from collections.abc import Collection
from contextlib import suppress
from typing import Any, ClassVar, Final

import httptools

from daehwa.server.direct import LINE, Line, LineHolder
from daehwa.server.heads import LeanCycle
from daehwa.server.lean_uvicorn import FlowControl, HttpToolsProtocol

HEAD_BYTES = 64 * 1024
HEAD_SECONDS = 20
"""After so long a head that has begun must be whole."""
MANY_SENT_AHEAD = 16
"""While so many requests of a connection wait for their turn, no more is read of it."""
WAITED_FOR_SHARE = 2
"""One connection in so many may be waited for: those that say nothing, or have said half of what they have to say."""

_OF_OFFER: Final = frozenset({b"upgrade", b"http2-settings"})
"""What offers another protocol, in a head and among the options of its connection."""
_AUTHORITY_ENDS = re.compile(rb"[/?#]")


class LeanFlow(FlowControl):
    """uvicorn's, but for an event of 760 bytes that nearly no connection ever waits for: it is made when one does. And
    nothing more is read while many requests that were sent ahead wait, beyond those of one read (256 KB at most).
    """

    __slots__ = ("_sent_ahead", "_transport", "_writable", "read_paused", "write_paused")

    def __init__(self, transport: asyncio.Transport, sent_ahead: "LeanPipeline") -> None:
        self._transport = transport
        self._sent_ahead = sent_ahead
        self._writable: asyncio.Event | None = None
        self.read_paused = False
        self.write_paused = False

    def resume_reading(self) -> None:
        """Read again, unless many requests wait: that a client leaves is only known by reading."""
        if len(self._sent_ahead) < MANY_SENT_AHEAD:
            super().resume_reading()

    async def drain(self) -> None:
        """Return when more may be written."""
        if self.write_paused:
            self._writable = self._writable or asyncio.Event()
            await self._writable.wait()

    def pause_writing(self) -> None:
        """Let those who drain wait from now on."""
        self.write_paused = True

    def resume_writing(self) -> None:
        """Let them go on."""
        self.write_paused = False
        if self._writable is not None:
            self._writable.set()
            self._writable = None


class LeanEvent:
    """asyncio's, but for a deque of 760 bytes: it is made when somebody waits, which nobody does for what has come."""

    __slots__ = ("_is_set", "_waited_for")

    def __init__(self) -> None:
        self._is_set = False
        self._waited_for: asyncio.Event | None = None

    def set(self) -> None:
        """Let those who wait go on."""
        self._is_set = True
        if self._waited_for is not None:
            self._waited_for.set()

    def clear(self) -> None:
        """Let those who come wait."""
        self._is_set, self._waited_for = False, None

    async def wait(self) -> None:
        """Return once it is set."""
        if not self._is_set:
            self._waited_for = self._waited_for or asyncio.Event()
            await self._waited_for.wait()


class LeanPipeline(list[Any]):
    """Requests that were sent ahead: what uvicorn uses of a deque, which takes 760 bytes when it is empty too."""

    __slots__ = ()

    def appendleft(self, request: object) -> None:
        """Let a request wait behind the others."""
        self.insert(0, request)


class BoundedHttpProtocol(HttpToolsProtocol):
    """uvicorn's protocol, with an end to how long a head may be or take, to how long a silent connection stays and to
    how many of those there are; and with a line beside ASGI for bodies that are streamed.
    """

    # Not in the instance's dictionary, which with them would grow beyond what instances share, by 1.5 KB a connection.
    __slots__ = (
        "_had_body",
        "_head_bytes",
        "_head_timeout",
        "_heads",
        "_holder",
        "_in_head",
        "_is_offered",
        "_offered_in",
        "_since",
    )
    _TOO_LARGE: ClassVar[bytes] = (
        b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    )

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # uvicorn's own signature
        """Begin, and give a client that says nothing an end."""
        self._holder = LineHolder()
        self._in_head, self._head_bytes, self._heads = True, 0, 0
        self._is_offered = self._had_body = False
        self._offered_in: int | None = None
        self._head_timeout: asyncio.TimerHandle | None = None
        self._since = self.loop.time()
        super().connection_made(transport)
        sent_ahead = LeanPipeline()
        self.flow = LeanFlow(transport, sent_ahead)
        self.pipeline = sent_ahead  # type: ignore[assignment] # see there
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)
        if self.limit_concurrency is not None:
            _let_go_of_slowest(self.connections, self.limit_concurrency // WAITED_FOR_SHARE)

    @property
    def is_waited_for(self) -> bool:
        """Whether the next word is the client's: it is silent, or its head or its body is not whole."""
        cycle: Any = self.cycle  # None before the first head
        return cycle is None or cycle.response_complete or (cycle.more_body and not cycle.response_started)

    @property
    def since(self) -> float:
        """When its last head was whole, or it was made."""
        return self._since

    def data_received(self, data: bytes) -> None:
        """Read on, or refuse a head, or trailers, without end."""
        was_in_head, heads, self._had_body = self._in_head, self._heads, False
        super().data_received(data)
        if self._offered_in is not None:
            self._read_on_without_offers(data)
        elif (
            was_in_head == self._in_head
            and heads == self._heads
            and not (self._had_body or self.transport.is_closing())
        ):
            if was_in_head and self._head_timeout is None:
                # uvicorn's own timer ends with the first byte; this one ends with the head.
                seconds = min(HEAD_SECONDS, self.timeout_keep_alive)
                self._head_timeout = self.loop.call_later(seconds, self.timeout_keep_alive_handler)
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES:
                if was_in_head:
                    self.transport.write(self._TOO_LARGE)
                self.transport.close()

    def _unsupported_upgrade_warning(self) -> None:
        """Note where the head ends that offers another protocol (HTTP/2, a WebSocket), which nobody here speaks."""
        parsed = sys.exception()
        if self._is_offered and isinstance(parsed, httptools.HttpParserUpgrade):
            self._offered_in = parsed.args[0]

    def _should_upgrade(self) -> bool:
        return False

    def _read_on_without_offers(self, data: bytes) -> None:
        """Take a request whose head offers another protocol as one that does not (RFC 9110, section 7.8): Java's own
        client offers HTTP/2 with each. The parser takes what follows such a head for the other protocol's, so another
        one is given the head once more, without the offer, and then its body.
        """
        offers = 0
        while (place := self._offered_in) is not None and not self.transport.is_closing():
            offers += 1
            if offers > MANY_SENT_AHEAD:  # each is read twice
                self.send_400_response("Too many requests at once that offer another protocol.")
                return
            data = self._head_without_offer() + data[place:]
            self._is_offered, self._offered_in = False, None
            self.parser = httptools.HttpRequestParser(self)
            with suppress(AttributeError):  # as uvicorn makes its own
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
            super().data_received(data)

    def _head_without_offer(self) -> bytes:
        connection = b",".join(value for name, value in self.headers if name == b"connection").lower().split(b",")
        options = b", ".join(option for each in connection if (option := each.strip()) not in _OF_OFFER)
        kept = [(name, value) for name, value in self.headers if name not in _OF_OFFER and name != b"connection"]
        kept += [(b"connection", options)] if options else []
        line = b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())
        return b"\r\n".join([line, *(b"%b: %b" % header for header in kept), b"\r\n"])

    def connection_lost(self, exc: Exception | None) -> None:
        """End, and the wait for the rest of a head with it."""
        self._end_head_timeout()
        super().connection_lost(exc)
        self._holder.left()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header. What comes after the body is none (RFC 9110, section 6.5.1), and nobody here asks for it."""
        if not self._in_head:
            return
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_body(self, body: bytes) -> None:
        """Note that it is not trailers that come."""
        self._had_body, self._head_bytes = True, 0
        super().on_body(body)

    def on_headers_complete(self) -> None:
        """Note that the head is over."""
        self._is_offered = self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"
        if self._is_offered:
            return
        self._in_head, self._head_bytes = False, 0
        self._end_head_timeout()
        self._heads += 1
        self._since = self.loop.time()
        if self.url[:1] != b"/":
            self._take_host_of_target()
        super().on_headers_complete()
        if self.cycle is not None:
            self.cycle.__class__ = LeanCycle  # uvicorn makes it here, and asks nobody of which kind
            self.cycle.message_event = LeanEvent()  # type: ignore[assignment] # what is used of one
            extensions: dict[str, Any] = {LINE: Line(self._holder, self.cycle)}
            self.cycle.scope["extensions"] = extensions

    def on_message_complete(self) -> None:
        """Note that a new head may begin."""
        if self._is_offered:
            return
        self._in_head, self._head_bytes = True, 0
        super().on_message_complete()

    def _take_host_of_target(self) -> None:
        """Of a target such as http://this.example/, as proxies are sent, the name counts, not that of the header (RFC
        9112, section 3.2.2): whoever stands before us may have looked at either.
        """
        self.headers[:] = [header for header in self.headers if header[0] != b"host"]
        self.headers.append((b"host", _AUTHORITY_ENDS.split(self.url.partition(b"://")[2], maxsplit=1)[0]))

    def _end_head_timeout(self) -> None:
        if self._head_timeout is not None:
            self._head_timeout.cancel()
            self._head_timeout = None


def _let_go_of_slowest(connections: Collection[Any], most: int) -> None:
    """Close connections that are waited for, the longest first, where there are more than `most`: whoever opens many
    and says little, a byte a second, never keeps others out.
    """
    if len(connections) <= most:
        return
    waited_for = [each for each in connections if isinstance(each, BoundedHttpProtocol) and each.is_waited_for]
    if len(waited_for) > most:
        waited_for.sort(key=lambda each: each.since)
        # Some more, so that not every further connection has to look through all.
        for each in waited_for[: len(waited_for) - most * 3 // 4]:
            each.transport.abort()
