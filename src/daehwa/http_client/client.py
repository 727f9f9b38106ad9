"""Short requests: one question, one whole answer, over connections that are kept. For streams see `connections`."""

import asyncio
from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from daehwa.http_client.connection import Connection
from daehwa.http_client.connections import Connections
from daehwa.http_client.errors import ClientClosed, TimedOut, TooLong
from daehwa.http_client.inward import NoFurtherIn
from daehwa.http_client.route import Route, origin_of

BODY_LIMIT = 8 * 1024 * 1024
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})
_KEPT_CONNECTIONS = 16


class HttpAnswer(msgspec.Struct, frozen=True):
    """A whole answer, whatever its status. `headers` have names in lower case; repeated ones are joined by commas."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class HttpClient:
    """Asks servers over kept connections; the environment's proxies are respected, redirects are not followed.

    A request is sent a second time only when a kept connection turns out to have been closed while it was idle. On
    Lambda that is the usual thing: the process stands still between requests, and what the server did meanwhile shows
    when it goes on.

    `guard`: for addresses that others name.
    """

    def __init__(
        self,
        *,
        connect_seconds: float = 5.0,
        ca_file: str | None = None,
        body_limit: int = BODY_LIMIT,
        use_proxy: bool = True,
        guard: NoFurtherIn | None = None,
    ) -> None:
        self._guard = guard
        self._connect_seconds = connect_seconds
        self._ca_file = ca_file
        self._use_proxy = use_proxy
        self._body_limit = body_limit
        self._origins: dict[str, Connections] = {}
        self._is_closed = False

    async def fetch(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] = _NO_HEADERS,
        body: bytes = b"",
        seconds: float = 30.0,
    ) -> HttpAnswer:
        """Send a request and return the whole answer. Connecting has its own limit; `seconds` is for all the rest.

        Raise `HttpError`, and `ValueError` on a header that would break out of its line. Not for HEAD.
        """
        if self._is_closed:
            raise ClientClosed
        connections = self._to(url)
        given = {name.lower(): value for name, value in headers.items()}
        request = connections.route.request(method, url, _completed(method, given, body), body)
        try:
            async with asyncio.timeout(self._connect_seconds + seconds):
                connection = await connections.ask(request, seconds)
                try:
                    whole = await self._body(connection)
                    return HttpAnswer(connection.status, dict(connection.headers), whole)
                finally:
                    connections.give_back(connection)
        except TimeoutError:
            raise TimedOut(connections.route.host, seconds, connecting=False) from None

    async def _body(self, connection: Connection) -> bytes:
        pieces, size = [], 0
        while piece := await connection.read():
            size += len(piece)
            if size > self._body_limit:
                raise TooLong(self._body_limit)
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _to(self, url: str) -> Connections:
        origin = origin_of(url)
        found = self._origins.get(origin)
        if found is None:
            route = Route(
                origin,
                connect_seconds=self._connect_seconds,
                ca_file=self._ca_file,
                use_proxy=self._use_proxy,
                guard=self._guard,
            )
            found = self._origins[origin] = Connections(route, most_kept=_KEPT_CONNECTIONS)
        return found

    async def aclose(self) -> None:
        """Close all connections. More than once is fine."""
        self._is_closed = True
        for connections in self._origins.values():
            await connections.aclose()


def _completed(method: str, headers: dict[str, str], body: bytes) -> dict[str, str]:
    completed = {"accept-encoding": "identity", "user-agent": "daehwa", **headers}
    if body or method != "GET":
        completed["content-length"] = str(len(body))
    return completed
