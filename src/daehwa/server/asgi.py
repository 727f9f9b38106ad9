"""ASGI as this server uses it: the types, a thin view of the request, an answer in one piece.

No framework stands behind this: routing a dozen paths and reading a header cost 30 ms of every start with one
(docs/decisions/0001-http-server.md).
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias, TypeVar
from urllib.parse import parse_qsl

import msgspec

from daehwa.accounts.people import User
from daehwa.conversation.room import Share
from daehwa.server.direct import line_of

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
ASGIApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers: TypeAlias = list[tuple[bytes, bytes]]

T = TypeVar("T")

_encode = msgspec.json.Encoder().encode


class ClientLeftError(Exception):
    """The client went away before its request was complete; nobody is there to be told anything."""


class Request:
    """What a handler sees: `path` holds the values of the route's `{names}`.

    `user` is who asks; it is not there where the operation is open to all. `identify` finds that out once more: whoever
    sends a body slowly may have been shut out meanwhile. `share` is what a large body holds, until there is an answer.
    """

    __slots__ = ("_headers", "identify", "path", "receive", "scope", "share", "user")

    user: User

    def __init__(self, scope: Scope, receive: Receive, path: dict[str, str]) -> None:
        self.identify: Callable[[Request], Awaitable[User]] | None = None
        self.share: Share | None = None
        self.scope = scope
        self.receive = receive
        self.path = path
        self._headers: dict[bytes, bytes] | None = None

    def header(self, name: bytes) -> str | None:
        """Return a header's value by its lower-case name, the last one where it stands twice."""
        if self._headers is None:
            self._headers = dict(self.scope["headers"])
        found = self._headers.get(name)
        return None if found is None else found.decode("latin-1")

    def handed_share(self) -> Share | None:
        """Return what a large body holds, if it does, to whoever holds the body on beyond the handler's end."""
        share, self.share = self.share, None
        return share

    def query(self) -> dict[str, str]:
        """Return the query's parameters, the last one where one stands twice."""
        text = self.scope["query_string"].decode("ascii", "replace")
        return dict(parse_qsl(text, keep_blank_values=True))


def header_of(scope: Scope, name: bytes) -> str | None:
    """Return a header's value by its lower-case name, the last one where it stands twice."""
    found = None
    for key, value in scope["headers"]:
        if key == name:
            found = value
    return None if found is None else found.decode("latin-1")


class Response:
    """An answer in one piece."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, body: bytes = b"", headers: Headers | None = None) -> None:
        self.status = status
        self.body = body
        self.headers = headers or []

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Send it."""
        if (line := line_of(scope)) is not None:
            line.join()
        headers = self.headers
        if self.status not in {204, 304}:
            headers = [*headers, (b"content-length", b"%d" % len(self.body))]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


def json_response(value: object, status: int = 200, headers: Headers | None = None) -> Response:
    """Return a value as JSON that no cache keeps."""
    kept = [(b"content-type", b"application/json"), (b"cache-control", b"no-store"), *(headers or [])]
    return Response(status, _encode(value), kept)
