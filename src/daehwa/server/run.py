"""Runs the application on uvicorn: one socket, one loop, and an orderly end in which running turns come first."""

import asyncio
import contextlib
import errno
import logging
import re
import signal
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Collection, Generator
from email.utils import formatdate
from types import FrameType
from typing import Any, ClassVar

from daehwa.conversation.errors import DaehwaError
from daehwa.server.asgi import ASGIApp, Headers
from daehwa.server.direct import LINE, Line, LineHolder
from daehwa.server.heads import LeanCycle
from daehwa.server.lean_uvicorn import Config, FlowControl, HttpToolsProtocol, ServerState
from daehwa.server.lean_uvicorn import Server as UvicornServer

KEEP_ALIVE_SECONDS = 75
GRACEFUL_SECONDS = 3
"""So long a server that ends waits for answers under way. Turns and calls of programs are ended at once."""
STALLED_SECONDS = 2
"""After so long it lets go of who does not read what it is sent."""
HEAD_BYTES = 64 * 1024
HEAD_SECONDS = 20
"""After so long a head that has begun must be whole."""
MOST_CONNECTIONS = 4000
WAITED_FOR_SHARE = 2
"""One connection in so many may be waited for: those that say nothing, or have said half of what they have to say."""

_ENDING = (signal.SIGINT, signal.SIGTERM)
_AUTHORITY_ENDS = re.compile(rb"[/?#]")


class CannotListen(DaehwaError):  # noqa: N818 - errors state the fact
    """The address cannot be listened on; the message says what to do."""

    type = "cannot_listen"


def bind(host: str, port: int) -> socket.socket:
    """Return a socket bound to the address; port 0 takes any free one. Raise `CannotListen`."""
    try:
        # As bytes where it can be: encoding a name as those of other scripts are imports two modules.
        name = host.encode() if host.isascii() else host
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError:
        raise CannotListen(f"'{host}' is not an address of this machine. Try --host 127.0.0.1.") from None
    family, kind, protocol, _, address = found[0]
    listener = socket.socket(family, kind, protocol)
    try:
        # A port whose last user has just ended is free, except on Windows, where this would share it.
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise CannotListen(_reason(host, port, error)) from None
    return listener


def _reason(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} on {host} is taken by another program, perhaps by daehwa itself in another window. End that "
            f"one, or take another port: --port {port + 1}."
        )
    if error.errno in {errno.EACCES, errno.EPERM}:
        return f"Port {port} needs more rights than this user has. Take one above 1023: --port 8000."
    if error.errno == errno.EADDRNOTAVAIL:
        return f"'{host}' is not an address of this machine. Try --host 127.0.0.1."
    return f"Cannot listen on {host}, port {port}: {error.strerror}."


def address_of(listener: socket.socket) -> str:
    """Return the URL under which a browser on this machine reaches the socket."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - read, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class LeanFlow(FlowControl):
    """uvicorn's, but for an event of 760 bytes that nearly no connection ever waits for: it is made when one does."""

    __slots__ = ("_transport", "_writable", "read_paused", "write_paused")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._writable: asyncio.Event | None = None
        self.read_paused = False
        self.write_paused = False

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
    __slots__ = ("_head_bytes", "_head_timeout", "_heads", "_holder", "_in_head", "_since")
    _TOO_LARGE: ClassVar[bytes] = (
        b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    )

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # uvicorn's own signature
        """Begin, and give a client that says nothing an end."""
        self._holder = LineHolder()
        self._in_head, self._head_bytes, self._heads = True, 0, 0
        self._head_timeout: asyncio.TimerHandle | None = None
        self._since = self.loop.time()
        super().connection_made(transport)
        self.flow = LeanFlow(transport)
        self.pipeline = LeanPipeline()  # type: ignore[assignment] # see there
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
        """Read on, or refuse a head without end."""
        was_in_head, heads = self._in_head, self._heads
        super().data_received(data)
        if was_in_head and self._in_head and heads == self._heads and not self.transport.is_closing():
            if self._head_timeout is None:
                # uvicorn's own timer ends with the first byte; this one ends with the head.
                seconds = min(HEAD_SECONDS, self.timeout_keep_alive)
                self._head_timeout = self.loop.call_later(seconds, self.timeout_keep_alive_handler)
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES:
                self.transport.write(self._TOO_LARGE)
                self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """End, and the wait for the rest of a head with it."""
        self._end_head_timeout()
        super().connection_lost(exc)
        self._holder.left()

    def on_headers_complete(self) -> None:
        """Note that the head is over."""
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
        self._in_head = True
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


class DatedState(ServerState):
    """uvicorn's, with the date in the headers of all answers written when an answer needs it, not by a timer."""

    def __init__(self) -> None:
        self._second = 0
        self._headers: Headers = []
        super().__init__()

    @property
    def default_headers(self) -> Headers:
        """Return the headers of every answer."""
        second = int(time.time())
        if second != self._second:
            self._second, self._headers = second, [(b"date", formatdate(second, usegmt=True).encode())]
        return self._headers

    @default_headers.setter
    def default_headers(self, headers: Headers) -> None:
        """Keep none: uvicorn begins with an empty list."""


class Server(UvicornServer):
    """uvicorn's server, which ends turns and calls under way before it waits for connections. While nothing is asked of
    it, no timer of its own runs.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        on_started: Callable[[], None] | None = None,
        before_shutdown: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        config: Any = {
            "http": BoundedHttpProtocol,
            "ws": "none",
            "lifespan": "off",
            "loop": "asyncio",
            "log_config": None,
            "access_log": False,
            "proxy_headers": False,
            "server_header": False,
            "timeout_keep_alive": KEEP_ALIVE_SECONDS,
            "timeout_graceful_shutdown": GRACEFUL_SECONDS,
            "limit_concurrency": _most_connections(),
        }
        super().__init__(Config(app, **config))
        self.server_state = DatedState()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_to_end = asyncio.Event()
        # Its notes on starting and ending are for those who run uvicorn itself.
        logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
        self.on_started = on_started
        self.before_shutdown = before_shutdown

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        if self.on_started is not None:
            self.on_started()

    async def main_loop(self) -> None:
        """Return when it is to end. uvicorn's own looks ten times a second whether that is so."""
        await self._is_to_end.wait()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take a signal as the word to end."""
        super().handle_exit(sig, frame)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._is_to_end.set)  # on Windows this runs beside the loop

    def end(self) -> None:
        """Let it end, as a signal does."""
        self.should_exit = True
        self._is_to_end.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more connections, end the turns so that their followers get their end, then close."""
        for server in self.servers:
            server.close()
        if self.before_shutdown is not None:
            await self.before_shutdown()
        letting_go = asyncio.get_running_loop().call_later(STALLED_SECONDS, self._let_go_of_stalled)
        await super().shutdown(sockets)
        letting_go.cancel()

    def _let_go_of_stalled(self) -> None:
        for connection in list(self.server_state.connections):
            if isinstance(connection, BoundedHttpProtocol) and connection.flow.write_paused:
                connection.transport.abort()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """End on SIGINT and SIGTERM. Unlike uvicorn's own, this does not raise the signal again at the end: what the
        caller has still to close would be lost.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in _ENDING}
        loop = asyncio.get_running_loop()
        for number in _ENDING:
            try:
                loop.add_signal_handler(number, self.handle_exit, number, None)  # wakes a loop that sleeps
            except NotImplementedError:  # Windows, whose loop looks for signals by itself
                signal.signal(number, self.handle_exit)
        try:
            yield
        finally:
            for number, handler in before.items():
                with contextlib.suppress(NotImplementedError):
                    loop.remove_signal_handler(number)
                signal.signal(number, handler)


def _most_connections() -> int:
    """Stay below the process's file limit: an accept beyond it fails for everybody."""
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return MOST_CONNECTIONS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_CONNECTIONS + 200
    if soft < wanted and (hard == resource.RLIM_INFINITY or soft < hard):
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(50, min(MOST_CONNECTIONS, soft - 200))


async def serve(
    app: ASGIApp,
    listener: socket.socket,
    *,
    on_started: Callable[[], None] | None = None,
    before_shutdown: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM. `on_started` is called once it listens, `before_shutdown` ends what is
    under way.

    asyncio sets TCP_NODELAY on every connection, so the first token does not wait for an acknowledgement.
    """
    await Server(app, on_started=on_started, before_shutdown=before_shutdown).serve(sockets=[listener])
