"""What an attempt came to, and bytes as an attacker sends them."""

import asyncio
import contextlib
from typing import NamedTuple

from daehwa.server.asgi import ASGIApp, Receive, Scope, Send


class Attempt(NamedTuple):
    """One attempt: in words, and whether it succeeded."""

    name: str
    succeeded: bool


class Recorded:
    """An application that writes down the requests which reach it."""

    def __init__(self, app: ASGIApp) -> None:
        self.reached: list[str] = []
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Write down, then pass on."""
        self.reached.append(f"{scope['method']} {scope['path']}")
        await self._app(scope, receive, send)


async def said_to(port: int, sent: bytes, *, seconds: float = 20.0) -> bytes:
    """Send bytes on a connection of their own; return all that comes back until it closes, or the time is over: long,
    since on a busy machine an answer that has not come yet would be taken for a success.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    heard = b""
    try:
        writer.write(sent)
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(seconds):
                while piece := await reader.read(65536):
                    heard += piece
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    return heard


def request(line: str, *headers: str, body: bytes = b"") -> bytes:
    """Return a request whose connection ends with it; what is in it stands as it is."""
    return "\r\n".join((line, *headers, "connection: close", "", "")).encode("latin-1") + body


def status_of(answer: bytes) -> int:
    """Return the status of an answer; 0 where the connection was closed without one."""
    parts = answer.split(b" ", 2)
    return int(parts[1]) if answer.startswith(b"HTTP/1.") and parts[1].isdigit() else 0
