"""A file that is made while it is sent: nothing is held in memory but the piece that is on its way."""

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing

from daehwa.conversation.errors import DaehwaError
from daehwa.server.asgi import Receive, Scope, Send
from daehwa.server.leaving import EndedWhenLeft

_log = logging.getLogger("daehwa.server")


class Download:
    """An answer that browsers keep as a file. What fails before the first piece becomes an error as any other; what
    fails later breaks the connection off, so that nobody takes a part for the whole. Whoever leaves ends it.
    """

    def __init__(self, pieces: AsyncGenerator[bytes, None], *, name: str, kind: str) -> None:
        self._pieces = pieces
        self._headers = [
            (b"content-type", kind.encode()),
            (b"content-disposition", f'attachment; filename="{name}"'.encode()),
            (b"cache-control", b"no-store"),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it. Raise `ClientLeftError`."""
        with EndedWhenLeft(scope, receive):
            async with aclosing(self._pieces) as pieces:
                await self._send(pieces, send)

    async def _send(self, pieces: AsyncGenerator[bytes, None], send: Send) -> None:
        first = await anext(pieces, b"")
        await send({"type": "http.response.start", "status": 200, "headers": self._headers})
        await send({"type": "http.response.body", "body": first, "more_body": True})
        try:
            async for piece in pieces:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        except DaehwaError as error:
            _log.warning("a download is broken off: %s", error.message)
            return
        await send({"type": "http.response.body", "body": b""})
