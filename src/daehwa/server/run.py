"""Runs the application on uvicorn: one socket, one loop, and an orderly end in which running turns come first."""

import asyncio
import contextlib
import errno
import logging
import signal
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Generator
from types import FrameType
from typing import Any

from daehwa.conversation.errors import DaehwaError
from daehwa.server.asgi import ASGIApp, Headers
from daehwa.server.http_protocol import BoundedHttpProtocol
from daehwa.server.lean_uvicorn import Config, ServerState
from daehwa.server.lean_uvicorn import Server as UvicornServer

KEEP_ALIVE_SECONDS = 75
GRACEFUL_SECONDS = 3
"""So long a server that ends waits for answers under way. Turns and calls of programs are ended at once."""
STALLED_SECONDS = 2
"""After so long it lets go of who does not read what it is sent."""
MOST_CONNECTIONS = 4000

_HANGUP: int = getattr(signal, "SIGHUP", signal.SIGTERM)  # the terminal's window is closed; Windows has no word for it
_ENDING = (signal.SIGINT, signal.SIGTERM, _HANGUP)

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class CannotListen(DaehwaError):  # noqa: N818 - errors state the fact
    """The address cannot be listened on; the message says what to do."""

    type = "cannot_listen"


def bind(host: str, port: int) -> socket.socket:
    """Return a socket bound to the address; port 0 takes any free one. Raise `CannotListen`."""
    try:
        # As bytes where it can be: encoding a name as those of other scripts are imports two modules.
        name = host.encode() if host.isascii() else host
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, ValueError):  # the second: no name of a host could be written so
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


def http_date(seconds: int) -> bytes:
    """Return seconds since 1970 as HTTP writes them, in English whatever the locale (RFC 9110, section 5.6.7).

    `email.utils.formatdate` says the same, and brings twelve modules.
    """
    year, month, day, hour, minute, second, weekday, *_ = time.gmtime(seconds)
    date = f"{_DAYS[weekday]}, {day:02} {_MONTHS[month - 1]} {year:04}"
    return f"{date} {hour:02}:{minute:02}:{second:02} GMT".encode()


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
            self._second, self._headers = second, [(b"date", http_date(second))]
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
        """End on SIGINT and SIGTERM, and on SIGHUP unless it is ignored (`nohup`). Unlike uvicorn's own, this does not
        raise the signal again at the end: what the caller has still to close would be lost.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {n: was for n in _ENDING if (was := signal.getsignal(n)) is not signal.SIG_IGN or n != _HANGUP}
        loop = asyncio.get_running_loop()
        for number in before:
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
