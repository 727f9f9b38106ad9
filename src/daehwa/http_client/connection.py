"""One HTTP/1.1 connection to a server: asyncio moves bytes, httptools parses, this holds the answer.

How this works and why. `buffer_updated` only parses; the parser itself appends each piece of a body to a list, without
a call into Python (`on_body` is the list's own `append`). Whoever reads awaits one future. Once a stream is *held*,
the socket is paused and the kernel collects; `take` then reads the socket itself, which spares two epoll calls and a
turn of the event loop each time. A stream that is *forwarded* goes on to its sink from within
`buffer_updated`; whoever forwards is woken at its end only. Nothing here runs a task or a timer.
"""

import asyncio
import os
import ssl
from collections.abc import Callable
from time import monotonic
from typing import cast

import httptools

from daehwa.http_client.errors import ConnectionLost, NotHttp
from daehwa.http_client.head import check_preliminary, headers_of
from daehwa.http_client.reading import FellSilent, Inflater, Sink, has_unread, inflated, inflater, landing, read_now
from daehwa.http_client.tls import Tls

BUFFER_BYTES = 1024 * 1024
"""So much of an answer may wait unread before the socket is paused."""
BARE_BYTES = 128 * 1024
"""So much may come in one go without any of it being a body: heads, preliminary ones too, and trailers."""
_FINAL = 200


class Connection(asyncio.BufferedProtocol):
    """A connection that serves one exchange at a time. By the monotonic clock, `idle_since` is when it was last given
    back (`idle_since_date` by the calendar), `asked_at` when a request was last sent to it, `heard_at` when something
    of this answer was last forwarded, 0 before.
    """

    __slots__ = (
        *("asked_at", "has_head", "headers", "heard_at", "idle_since", "idle_since_date", "is_complete", "is_lost"),
        *("on_body", "status", "_bare", "_buffer", "_descriptor", "_fault", "_has_length", "_inflate", "_is_full"),
        *("_is_paused", "_is_sent", "_is_sink_full", "_keeps_alive", "_lost", "_parser", "_pieces", "_sink", "_size"),
        *("_is_yielding", "_lines", "_tls", "_transport", "_waiter"),
    )

    def __init__(self, lost: Callable[["Connection"], None]) -> None:
        self.idle_since = self.idle_since_date = self.asked_at = self.heard_at = 0.0
        self.status = 0
        self.headers: dict[str, str] = {}
        self._lines: list[tuple[bytes, bytes]] = []
        self.has_head = self.is_complete = self.is_lost = False
        self._lost = lost
        self._buffer = landing.buffer
        self._transport: asyncio.Transport | None = None
        self._descriptor: int | None = None
        self._tls: Tls | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._inflate: Inflater | None = None
        self._pieces: list[bytes] = []
        self.on_body = self._pieces.append
        self._size = self._bare = 0
        self._has_length = self._is_paused = self._is_full = self._is_sink_full = False
        self._is_yielding, self._is_sent, self._keeps_alive = False, True, True
        self._sink: Sink | None = None
        self._fault: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None

    # ------------------------------------------------------------ asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport, and the socket's descriptor where its bytes are ours to read."""
        self._transport = cast("asyncio.Transport", transport)
        # Windows' proactor has no sockets that could be read beside it; asyncio's TLS (to a proxy) reads them itself.
        if os.name != "nt" and transport.get_extra_info("sslcontext") is None:
            self._descriptor = transport.get_extra_info("socket").fileno()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's own signature
        """Return what to read into."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take what was read."""
        if self._tls is None:
            self._parse(self._buffer[:nbytes])
        else:
            self._decrypt(self._tls, self._buffer[:nbytes])
        if nbytes == len(self._buffer) and not self._is_paused:
            self.pause()  # there is more, and uvloop would read it up to 32 times before others have their turn
            self._is_yielding = True
            asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        if self._is_yielding:
            self.resume()

    def _decrypt(self, tls: Tls, data: bytes | memoryview) -> None:
        tls.feed(data)
        if not tls.is_open:
            self._wake()
            return
        if data := tls.read():
            self._parse(data)
        if tls.has_ended:
            self._end(None)
        if tls.has_ended or tls.is_broken:
            self.close()

    def _parse(self, data: bytes | memoryview) -> None:
        parser, pieces = self._parser, self._pieces
        if parser is None or self.is_complete:
            self._fail(NotHttp())  # bytes that belong to no answer: this connection cannot be trusted with another
            return
        known = len(pieces)
        try:
            parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as fault:
            why = fault.__context__  # what a callback raised
            self._fail(why if isinstance(why, NotHttp) else NotHttp())
        if len(pieces) > known:
            self._bare = 0
        else:
            self._bare += len(data)
            if self._bare > BARE_BYTES and not self.is_complete:
                self._fail(NotHttp(f"more than {BARE_BYTES} bytes of headers"))
        if self._inflate is not None:
            self._undo(self._inflate, known)
        if self._sink is not None:
            self._pour(self._sink)
            return
        if self._inflate is None:
            self._size += len(data)  # with what stands between the pieces: a little more than waits
        if self._size > BUFFER_BYTES:
            self.pause()
        self._wake()

    def _undo(self, inflate: Inflater, known: int) -> None:
        """Inflate the pieces that have just come: compressed although nobody asked for it."""
        try:
            self._size += inflated(known, self._pieces, inflate, self._size, ends=self.is_complete)
        except NotHttp as fault:
            self.is_complete = False  # whatever followed
            self._fail(fault)

    def _pour(self, sink: Sink) -> None:
        pieces = self._pieces
        if pieces and not self._is_sink_full and not self.is_complete:
            self.heard_at, self._size = monotonic(), 0
            piece = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            pieces.clear()
            if not sink.write(piece):
                self._is_sink_full = True
                self.pause()
        if self._is_sink_full or self.is_complete or self._fault is not None:
            self._wake()
        elif self._is_paused:  # much came out of a little that was compressed
            self.resume()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the answer: well where its end is the connection's, else cut."""
        self.is_lost = True
        self._end(exc)
        self._lost(self)

    def _end(self, exc: Exception | None) -> None:
        if not self.is_complete and self._fault is None:
            ends_well = self.has_head and not self._has_length and exc is None
            self.is_complete = ends_well and (self._inflate is None or self._inflate.is_whole)
            self._fault = None if self.is_complete else ConnectionLost()
        self._wake()

    def pause_writing(self) -> None:
        """Note that the socket takes no more for now."""
        self._is_full = True

    def resume_writing(self) -> None:
        """Let the sender of a long body go on."""
        self._is_full = False
        self._wake()

    # ------------------------------------------------------------ the parser's side

    def on_message_begin(self) -> None:
        """Refuse a second answer: nobody asked for it."""
        if self.has_head:
            raise NotHttp

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a line of the head. Trailers are not kept."""
        if not self.has_head:
            self._lines.append((name, value))

    def on_headers_complete(self) -> None:
        """Take over the head, unless it is only a preliminary one (1xx)."""
        if self._parser is None:
            return
        status, lines, self._lines = self._parser.get_status_code(), self._lines, []
        if status < _FINAL:
            check_preliminary(status, lines)
            return
        self.headers = headers_of(lines)
        self._inflate = inflater(self.headers.get("content-encoding", ""))
        self.status, self.has_head = status, True
        self._keeps_alive = self._parser.should_keep_alive()
        is_chunked = "transfer-encoding" in self.headers and "chunked" in self.headers["transfer-encoding"].lower()
        self._has_length = is_chunked or "content-length" in self.headers

    def on_message_complete(self) -> None:
        """Note the end."""
        if self.has_head:
            self.is_complete = True

    # ------------------------------------------------------------ the reader's side

    def send(self, request: bytes, *, more: bool = False) -> None:
        """Send a request; the answer that comes is its. `more`: the rest of its body follows by `send_more`."""
        self._is_sent, self.heard_at, self.asked_at = not more, 0.0, monotonic()
        self.status, self.headers, self.has_head, self.is_complete = 0, {}, False, False
        self._parser = httptools.HttpResponseParser(self)
        self._pieces.clear()
        self._inflate, self._size, self._bare, self._lines = None, 0, 0, []
        self._has_length = self._keeps_alive = False
        if self._is_closing():  # lost already: nobody would say so again
            self._fault = self._fault or ConnectionLost()
        else:
            self._fault = None
            self._write(request)

    def _write(self, data: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        if self._tls is None:
            self._transport.write(data)
            return
        self._tls.write(data)
        if self._tls.is_broken:
            self.close()

    async def send_more(self, piece: bytes) -> bool:
        """Send a further piece of the body, and return when the socket takes the next one: what is waiting never grows.
        False: the server has answered already and wants no more. Raise as `head`.
        """
        if not self.has_head:
            self._write(piece)
        while not self.has_head and (self._is_full or self._fault is not None):
            await self._more()
        return not self.has_head

    def end_sending(self) -> None:
        """Note that the whole body is sent: the connection can serve again."""
        self._is_sent = True

    async def head(self, seconds: float) -> None:
        """Return when `status` and `headers` are there. Raise `ConnectionLost`, `NotHttp`, and `TimeoutError` where
        they do not come within `seconds`.
        """
        late = asyncio.get_running_loop().call_later(seconds, self._be_late)
        try:
            while not self.has_head:
                await self._more()
        finally:
            late.cancel()

    def _be_late(self) -> None:
        # A fault, not a word to whoever waits: a part of the head may have woken them in this very turn of the loop.
        if not self.has_head:
            self._fail(TimeoutError())
            self._wake()

    async def read(self) -> bytes:
        """Return what has come of the body, waiting for some; empty at its end. Raise as `head`, and `FellSilent`."""
        while not self._pieces:
            if self.is_complete:
                return b""
            self.resume()
            await self._more()
        return self._take_pieces()

    async def forward(self, sink: Sink) -> bytes:
        """Write the body into `sink`, each piece within the callback in which it comes, and return at its end what came
        with that; where it is cancelled by then, that is written too. While the sink is full, nothing is read. Raise as
        `read`.
        """
        self._sink = sink
        try:
            while True:
                self._pour(sink)
                if self._is_sink_full:
                    await sink.drained()
                    self._is_sink_full, self.heard_at = False, monotonic()
                elif self.is_complete:
                    return self._take_pieces()
                else:
                    await self._more()
        except asyncio.CancelledError:
            if self.is_complete and (last := self._take_pieces()):
                sink.write(last)  # it ended in this very turn of the loop, and its last bytes say what it cost
            raise
        finally:
            self._sink, self._is_sink_full = None, False

    def take(self) -> bytes:
        """Return what has come of the body by now, asking the socket where that can be done. Never waits."""
        # A transport that is closing may have given its descriptor to somebody else.
        if not self._pieces and self._descriptor is not None and not self._is_closing():
            try:
                raw = read_now(self._descriptor)
            except OSError:  # told only once, so asyncio would take what follows for a good end
                raw = b""
                self._fail(ConnectionLost())
            if raw:  # an end is left to asyncio
                if self._tls is None:
                    self._parse(raw)
                else:
                    self._decrypt(self._tls, raw)
        return self._take_pieces()

    def pause(self) -> None:
        """Leave what comes in the kernel until `take`, `read` or `resume`."""
        self._is_yielding = False
        if not self._is_paused and self._transport is not None and not self._is_closing():
            self._is_paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read again as things come."""
        self._is_yielding = False
        if self._is_paused and self._transport is not None and not self._is_closing():
            self._is_paused = False
            self._transport.resume_reading()

    def fell_silent(self) -> bool:
        """Let the one who waits for more meet `FellSilent`; return whether there is one."""
        if self._waiter is None or self._waiter.done():
            return False
        self._waiter.set_exception(FellSilent())
        return True

    async def start_tls(self, trust: ssl.SSLContext, host: str) -> None:
        """Speak TLS with `host` from now on. Raise `ssl.SSLError`, `ConnectionLost`."""
        self.has_head, self.is_complete, self._keeps_alive = False, False, True  # a proxy's answer is of no account
        if self._transport is None or self._is_closing():
            raise ConnectionLost
        self._tls = tls = Tls(trust, host, self._transport)
        while not tls.shake_hands():
            await self._more()

    @property
    def has_more(self) -> bool:
        """Whether whoever reads now need not wait: some of the body is here, or its end."""
        return bool(self._pieces) or self.is_complete

    @property
    def has_answered(self) -> bool:
        """Whether any byte of an answer to the last request has come."""
        return self.has_head or self._bare > 0

    @property
    def is_reusable(self) -> bool:
        """Whether another request may be sent on it: it is open, and this one is over in both directions."""
        transport = self._transport
        if transport is None or transport.is_closing() or transport.get_write_buffer_size():
            return False
        return self.is_complete and self._is_sent and self._keeps_alive and not self.is_lost

    @property
    def is_fresh(self) -> bool:
        """Whether it is reusable and nothing waits unread on it: a goodbye that the loop has not come to yet."""
        return self.is_reusable and (self._descriptor is None or not has_unread(self._descriptor))

    def close(self) -> None:
        """Close at once: no goodbye that could wait for the other side. An unfinished answer is cut."""
        if not self.is_complete and self._fault is None:
            self._fault = ConnectionLost()
        if self._transport is not None:
            self._transport.abort()

    def _is_closing(self) -> bool:
        return self._transport is None or self._transport.is_closing()

    def _take_pieces(self) -> bytes:
        pieces = self._pieces
        taken, self._size = pieces[0] if len(pieces) == 1 else b"".join(pieces), 0
        pieces.clear()
        return taken

    async def _more(self) -> None:
        if self._fault is not None:
            raise self._fault
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _fail(self, fault: Exception) -> None:
        if self._fault is None:
            self._fault = fault
        self.close()
