"""What CloudFront does, as we understand it: files of the page by default, a few paths to the API, one address.

* Files come from the folder that S3 would hold; `/` and `/chat.html` are index.html; what is missing is S3's 403.
* To the API go the viewer's headers but Host; the origin's key and the viewer's address replace any from outside.
* An answer is passed on piece by piece. When none came for `read_seconds` the viewer is cut off (504 before the head).
* A fault of the API is given to whoever asks for the same next, for as long as `error_seconds` says.
* **A viewer who leaves changes nothing behind**: the answer is read to its end all the same.
* The same headers of safety are on every answer.
"""

import asyncio
import contextlib
import mimetypes
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from lambda_bed.errors import Failed
from lambda_bed.events import ORIGIN_KEY, HttpRequest
from lambda_bed.gateway import Answer, ApiGateway
from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from daehwa.server.safety import SAFETY_HEADERS
from daehwa.server.visiting import VIEWER_HEADER

API_PATHS = ("/api/*", "/auth/*", "/v1/*", "/chat")
INDEX_PATHS = ("/", "/chat.html")
READ_SECONDS = 120.0
END_SECONDS = 5.0
ERROR_SECONDS = {500: 0.0, 502: 0.0, 503: 0.0, 504: 0.0}
"""How long the distribution keeps an answer with such a status."""
UNTOLD_ERROR_SECONDS = dict.fromkeys(ERROR_SECONDS, 10.0)
"""… and how long it would if it were not told."""
_NOT_PASSED_ON = {b"connection", b"host", b"transfer-encoding", b"x-api-key", VIEWER_HEADER.encode()}
_DENIED = b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code></Error>'
_TIMED_OUT = b"<H1>504 Gateway Timeout ERROR</H1>"


Kept = tuple[int, list[tuple[bytes, bytes]], bytes]


class CutOffError(Exception):
    """The answer broke off after its head; the server closes the connection for it."""


class Edge:
    """The distribution, as an ASGI application. `address` is set while it listens."""

    def __init__(
        self,
        api: ApiGateway,
        page: Path,
        *,
        read_seconds: float = READ_SECONDS,
        error_seconds: Mapping[int, float] = ERROR_SECONDS,
    ) -> None:
        self.api = api
        self.address = ""
        self._page = page
        self._read_seconds = read_seconds
        self._error_seconds = error_seconds
        self._faults: dict[str, tuple[float, Kept]] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request."""
        if _goes_to_api(scope["path"]):
            await self._pass_on(scope, receive, send)
        elif scope["method"] in {"GET", "HEAD"}:
            await self._send_file(scope, send)
        else:
            await _send(send, 403, [], _DENIED)

    @contextlib.asynccontextmanager
    async def listening(self, port: int = 0) -> AsyncIterator["Edge"]:
        """Listen on loopback within the block."""
        config, state = Config(self, log_config=None, access_log=False, lifespan="off"), ServerState()
        config.load()
        server = await asyncio.get_running_loop().create_server(
            lambda: HttpToolsProtocol(config=config, server_state=state, app_state={}), "127.0.0.1", port
        )
        try:
            self.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            yield self
        finally:
            server.close()
            for connection in list(state.connections):
                connection.transport.abort()
            if state.tasks:
                await asyncio.wait(state.tasks, timeout=END_SECONDS)

    async def _pass_on(self, scope: Any, receive: Any, send: Any) -> None:
        asked = await _request(scope, receive)
        until, fault = self._faults.get(asked.target, (0.0, (504, [], b"")))
        if asked.method in {"GET", "HEAD"} and time.monotonic() < until:
            await _send(send, *fault)
            return
        try:
            async with asyncio.timeout(self._read_seconds):
                answer = await self.api.answer(asked)
        except TimeoutError:
            self._keep(asked, (504, [], _TIMED_OUT))
            await _send(send, 504, [], _TIMED_OUT)
            return
        headers = [(name.encode(), value.encode("latin-1")) for name, value in answer.headers]
        await send({"type": "http.response.start", "status": answer.status, "headers": _safe(headers)})
        pieces = []
        try:
            async for piece in _within(self._read_seconds, answer):
                pieces += [piece] if answer.status in self._error_seconds else []
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        except (Failed, TimeoutError) as error:
            raise CutOffError from error
        await send({"type": "http.response.body", "body": b""})
        self._keep(asked, (answer.status, headers, b"".join(pieces)))

    def _keep(self, asked: HttpRequest, answer: Kept) -> None:
        if asked.method in {"GET", "HEAD"} and answer[0] in self._error_seconds:
            self._faults[asked.target] = (time.monotonic() + self._error_seconds[answer[0]], answer)

    async def _send_file(self, scope: Any, send: Any) -> None:
        name = "index.html" if scope["path"] in INDEX_PATHS else scope["path"].lstrip("/")
        path = self._page / name
        if ".." in Path(name).parts or not path.is_file():
            await _send(send, 403, [(b"content-type", b"application/xml")], _DENIED)
            return
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        kept = "public, max-age=31536000, immutable" if name.startswith("assets/") else "no-cache"
        headers = [(b"content-type", kind.encode()), (b"cache-control", kept.encode())]
        body = b"" if scope["method"] == "HEAD" else path.read_bytes()
        await _send(send, 200, headers, body)


def _goes_to_api(path: str) -> bool:
    return any(path.startswith(each[:-1]) if each.endswith("*") else path == each for each in API_PATHS)


async def _within(seconds: float, answer: Answer) -> AsyncIterator[bytes]:
    while True:
        async with asyncio.timeout(seconds):
            piece = await anext(answer.pieces, None)
        if piece is None:
            return
        yield piece


async def _request(scope: Any, receive: Any) -> HttpRequest:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    target = scope["raw_path"].decode() + (f"?{scope['query_string'].decode()}" if scope["query_string"] else "")
    kept = [(n.decode(), v.decode("latin-1")) for n, v in scope["headers"] if n not in _NOT_PASSED_ON]
    ours = (("x-api-key", ORIGIN_KEY), (VIEWER_HEADER, scope["client"][0]))
    return HttpRequest(scope["method"], target, (*kept, *ours), body)


async def _send(send: Any, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": _safe(headers)})
    await send({"type": "http.response.body", "body": body})


def _safe(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return the headers with those of the response headers policy, which replace the origin's."""
    ours = {name for name, _ in SAFETY_HEADERS}
    return [*(pair for pair in headers if pair[0] not in ours), *SAFETY_HEADERS]
