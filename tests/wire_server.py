"""A server on a loopback socket that says exactly the bytes a test tells it to, for what no decent server would say."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Self, TypeAlias

from upstream import reset_connection

Talk: TypeAlias = Callable[["Line"], Awaitable[None]]


class Line:
    """One connection: `number` counts from 1, `gone` is set when the client has left."""

    def __init__(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.number = number
        self.reader = reader
        self.writer = writer

    async def request(self) -> bytes:
        """Return the head of the next request; its body is read too. Raise `IncompleteReadError` at the end."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                await self.reader.readexactly(int(line.partition(b":")[2]))
        return head

    async def say(self, *pieces: bytes) -> None:
        """Send each piece as a packet of its own."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            await asyncio.sleep(0)

    def reset(self) -> None:
        """Close so that the other side meets an error rather than an end."""
        reset_connection(self.writer)

    async def left(self) -> None:
        """Wait until the client has closed the connection."""
        with suppress(OSError):
            while await self.reader.read(65536):
                pass


class WireServer:
    """Talks as told on each connection, and closes it then. `lines` are the connections so far."""

    def __init__(self, talk: Talk, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        self.lines: list[Line] = []
        self.ended: list[asyncio.Event] = []
        self._talk = talk
        self._tls = tls
        self._host = host
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, self._host, 0, ssl=self._tls)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        faults = await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()
        for fault in faults:
            if fault is not None and not isinstance(fault, asyncio.CancelledError):
                raise fault

    @property
    def port(self) -> int:
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def base_url(self) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}/v1"

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.lines.append(Line(len(self.lines) + 1, reader, writer))
        self.ended.append(asyncio.Event())
        task = asyncio.ensure_future(self._converse(self.lines[-1], self.ended[-1]))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _converse(self, line: Line, ended: asyncio.Event) -> None:
        try:
            await self._talk(line)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            line.writer.close()
            ended.set()


def saying(*pieces: bytes, then: Talk | None = None) -> Talk:
    """Answer every request of a connection with these pieces; `then` may end it after the first."""

    async def talk(line: Line) -> None:
        while True:
            await line.request()
            await line.say(*pieces)
            if then is not None:
                await then(line)
                return

    return talk


async def end(line: Line) -> None:
    del line


async def left(line: Line) -> None:
    await line.left()


async def reset(line: Line) -> None:
    await asyncio.sleep(0.01)  # what was said shall arrive before
    line.reset()
