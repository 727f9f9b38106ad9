"""A file that is made while it is sent: nothing is held in memory but the piece that is on its way."""

import logging
from collections.abc import AsyncIterator

from daehwa.conversation.errors import DaehwaError
from daehwa.server.asgi import Receive, Scope, Send

_log = logging.getLogger("daehwa.server")


class Download:
    """An answer that browsers keep as a file. What fails before the first piece becomes an error as any other; what
    fails later breaks the connection off, so that nobody takes a part for the whole.
    """

    def __init__(self, pieces: AsyncIterator[bytes], *, name: str, kind: str) -> None:
        self._pieces = pieces
        self._headers = [
            (b"content-type", kind.encode()),
            (b"content-disposition", f'attachment; filename="{name}"'.encode()),
            (b"cache-control", b"no-store"),
        ]

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Send it."""
        first = await anext(self._pieces, b"")
        await send({"type": "http.response.start", "status": 200, "headers": self._headers})
        await send({"type": "http.response.body", "body": first, "more_body": True})
        try:
            async for piece in self._pieces:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        except DaehwaError as error:
            _log.warning("a download is broken off: %s", error.message)
            return
        await send({"type": "http.response.body", "body": b""})
