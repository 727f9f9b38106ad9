"""The connections to one server: kept, used again, given up; and what is sent a second time, and what never."""

import asyncio
from collections.abc import AsyncIterator
from time import monotonic, time
from typing import Protocol

import msgspec

from daehwa.http_client.connection import Connection
from daehwa.http_client.errors import ClientClosed, ConnectFailed, ConnectionLost, TimedOut
from daehwa.http_client.route import Route

KEEP_ALIVE_SECONDS = 60.0
READY_SECONDS = 30.0
"""So long a connection counts as ready for a request that is expected: it will be good for as long again."""
STALE_SECONDS = 0.25
"""As long as a word takes around the world and back: by then a server that had closed the connection has said so."""
_PROXY_AUTHENTICATION = 407


class Sending(Protocol):
    """What its sender knows of a request: whether the server may have it."""

    is_sent: bool


class StreamedBody(msgspec.Struct, frozen=True):
    """A body that is sent as it comes, once: `length` bytes in all, or, where that is None, in chunks."""

    pieces: AsyncIterator[bytes]
    length: int | None

    def framed(self, piece: bytes) -> bytes:
        """Return a piece as it goes over the wire."""
        return piece if self.length is not None else b"%x\r\n%b\r\n" % (len(piece), piece)

    @property
    def end(self) -> bytes:
        """What goes over the wire after the last piece."""
        return b"0\r\n\r\n" if self.length is None else b""

    @property
    def header(self) -> tuple[str, str]:
        """The header that says how its end is known."""
        if self.length is None:
            return "transfer-encoding", "chunked"
        return "content-length", str(self.length)


class Connections:
    """Asks one server. `keeps` False: each connection serves one request. Make it inside a running event loop."""

    def __init__(self, route: Route, *, most_kept: int = 256, keeps: bool = True) -> None:
        self.route = route
        self.keeps = keeps
        self.idle: list[Connection] = []
        self.busy: set[Connection] = set()
        self.is_closed = False
        self._most_kept = most_kept

    async def ask(self, request: bytes, seconds: float, sending: Sending | None = None) -> Connection:
        """Send a request; return the connection when the answer's head is there, within `seconds` once it stands.

        `sending` is told once it is sent. The caller reads the body and gives the connection back. Raise `HttpError`.
        """
        if self.is_closed:
            raise ClientClosed
        kept = self._kept()
        if kept is not None:
            try:
                return await self.answer(kept, request, seconds, sending)
            except ConnectionLost:
                # Closed while it was idle, as it may be: that shows at once and without a word, and then a new one
                # is tried, once. Anything else may have been worked on, and paid for: that is not for us to repeat.
                if kept.has_answered or monotonic() - kept.asked_at > STALE_SECONDS:
                    raise
                if sending is not None:
                    sending.is_sent = False
                self._close_idle()  # they are no fresher
        return await self.answer(await self.open(), request, seconds, sending)

    async def upload(self, head: bytes, body: StreamedBody, seconds: float) -> Connection:
        """Send a request whose body comes in pieces, over a connection that nobody has used: it can be sent once only.

        Each piece has to leave within `seconds`, and the answer's head to come within `seconds` after the last. An
        answer that comes before that ends the sending. Raise `HttpError`, and what the pieces raise.
        """
        if self.is_closed:
            raise ClientClosed
        connection = await self.open()
        try:
            connection.send(head, more=True)
            await self._send_body(connection, body, seconds)
            connection.asked_at = monotonic()
            return await self._answered(connection, seconds)
        except BaseException:  # cancelled too
            connection.close()
            raise

    async def _send_body(self, connection: Connection, body: StreamedBody, seconds: float) -> None:
        sent = 0
        async for piece in body.pieces:
            sent += len(piece)
            if body.length is not None and sent > body.length:
                raise ValueError("The body is longer than was said.")
            if not piece:  # in chunks it would be the end
                continue
            try:
                async with asyncio.timeout(seconds):
                    if not await connection.send_more(body.framed(piece)):
                        return
            except TimeoutError:
                raise TimedOut(self.route.host, seconds, connecting=False) from None
        if body.length is not None and sent < body.length:
            raise ValueError("The body is shorter than was said.")
        if not body.end or await connection.send_more(body.end):
            connection.end_sending()

    async def open(self) -> Connection:
        """Open a connection that nobody has used. Raise `HttpError`."""
        connection = await self.route.connect(self._forget)
        if self.is_closed:
            connection.close()
            raise ClientClosed
        if not connection.is_lost:
            self.busy.add(connection)
        return connection

    async def answer(
        self, connection: Connection, request: bytes, seconds: float, sending: Sending | None = None
    ) -> Connection:
        """Send a request on this connection, and return it when the head is there. Raise `HttpError`."""
        try:
            if sending is not None:
                sending.is_sent = True
            connection.send(request)
            return await self._answered(connection, seconds)
        except BaseException:  # cancelled too
            connection.close()
            raise

    async def _answered(self, connection: Connection, seconds: float) -> Connection:
        try:
            await connection.head(seconds)
        except TimeoutError:
            raise TimedOut(self.route.host, seconds, connecting=False) from None
        # What comes through a tunnel, or with no proxy in between, is the server's own word, however strange.
        if connection.status == _PROXY_AUTHENTICATION and self.route.is_relayed:
            raise ConnectFailed("proxy", self.route.host, "407")
        return connection

    @property
    def is_ready(self) -> bool:
        """Whether a connection is idle that will be good for a while yet."""
        return bool(self.idle) and self.idle[-1].is_fresh and not _is_older(self.idle[-1], READY_SECONDS)

    async def prepare(self) -> None:
        """Open a connection for a request that is expected, unless one is ready. Nothing is sent on it but what TLS
        needs. Raise `HttpError`.
        """
        if self.keeps and not self.is_closed and not self.is_ready:
            connection = await self.open()
            connection.is_complete = True  # no answer is due on it
            self.give_back(connection)

    def _kept(self) -> Connection | None:
        while self.idle:
            connection = self.idle.pop()
            self.busy.add(connection)
            if connection.is_fresh and not _is_older(connection, KEEP_ALIVE_SECONDS):
                return connection
            connection.close()
        return None

    def give_back(self, connection: Connection) -> None:
        """Keep a connection for the next request, or close it where that cannot be."""
        self.busy.discard(connection)
        keep = self.keeps and not self.is_closed and len(self.idle) < self._most_kept
        if keep and connection.is_reusable:
            connection.resume()
            connection.idle_since, connection.idle_since_date = monotonic(), time()
            self.idle.append(connection)
            while _is_older(self.idle[0], KEEP_ALIVE_SECONDS):  # the last used is used first
                self.idle.pop(0).close()
        else:
            connection.close()

    def _forget(self, connection: Connection) -> None:
        self.busy.discard(connection)
        if connection in self.idle:
            self.idle.remove(connection)

    def _close_idle(self) -> None:
        idle, self.idle = self.idle, []
        for connection in idle:
            connection.close()

    async def aclose(self) -> None:
        """Close all connections."""
        self.is_closed = True
        self._close_idle()
        for connection in tuple(self.busy):
            connection.close()
        await asyncio.sleep(0)  # asyncio closes the sockets in the next turn of the loop


def _is_older(connection: Connection, seconds: float) -> bool:
    # By the calendar too: the other clock may stand still while the machine sleeps or Lambda holds the process.
    return monotonic() - connection.idle_since > seconds or time() - connection.idle_since_date > seconds
