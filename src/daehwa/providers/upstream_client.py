"""HTTP to one upstream: connections kept and used again, answers read as streams, faults named.

How a stream is read: after the first content it is *held*: the kernel collects several tokens, and `gather` reads them
at once on the beat that all streams share. One that is *forwarded* goes to its sink as it comes, out of the
connection's own callback. Nothing here runs once per token, and no timer is set per read: one watch a stream looks now
and then whether it has fallen silent. Redirects are not followed: the key would go where nobody meant it to.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import suppress
from functools import lru_cache
from time import monotonic
from typing import Any, TypeAlias

from daehwa.conversation.errors import ProviderError
from daehwa.http_client.connection import Connection
from daehwa.http_client.connections import Connections, Sending, StreamedBody
from daehwa.http_client.errors import ConnectionLost, HttpError, NotHttp
from daehwa.http_client.reading import FellSilent, Sink
from daehwa.http_client.route import Route
from daehwa.providers.pacing import Beat
from daehwa.providers.upstream import LateKey, Upstream
from daehwa.providers.upstream_faults import Faults, UpstreamFault

BODY_LIMIT = 8 * 1024 * 1024
"""Bytes of a body that is read as a whole: an error, a list of models, an answer that is not streamed."""

Body: TypeAlias = bytes | StreamedBody

_DRAIN_SECONDS = 1.0
_KNOWN_PATHS = 64  # a dozen are asked for again and again
_UNAUTHORIZED = 401


class UpstreamStream:
    """One answer of the upstream, being read."""

    __slots__ = (
        *("headers", "status", "_client", "_connection", "_has_begun", "_is_finished", "_is_held", "_limit"),
        *("_reading_since", "_watch"),
    )

    def __init__(self, connection: Connection, client: "UpstreamClient") -> None:
        self.status = connection.status
        self.headers: Mapping[str, str] = connection.headers
        self._connection = connection
        self._client = client
        self._has_begun = False
        self._is_held = False
        self._is_finished = False
        self._limit = max(0.001, client.upstream.patience.first_byte - (monotonic() - connection.asked_at))
        self._reading_since: float | None = None
        self._watch: asyncio.TimerHandle | None = None

    async def read(self) -> bytes:
        """Return what has arrived, at least one byte; empty at the end. Raise `UpstreamFault`."""
        self._reading_since = monotonic()
        if self._watch is None and not self._connection.has_more:
            self._look_in(self._limit)
        try:
            piece = await self._connection.read()
        except FellSilent:
            raise self._silence() from None
        except (ConnectionLost, NotHttp) as fault:
            raise self._client.faults.cut() from fault
        finally:
            self._reading_since = None
        if not self._has_begun:
            self._has_begun = True
            self._limit = self._client.upstream.patience.idle
            if self._watch is not None:
                self._look_in(self._limit)
        return piece

    async def forward(self, sink: Sink) -> bytes:
        """Write what arrives into `sink`, each piece as it comes, and return at the end what came with it. Cancelling
        closes the stream, and what came with the end by then is written.

        Raise `UpstreamFault`.
        """
        self._reading_since = monotonic()
        self._look_in(min(self._limit, self._client.upstream.patience.idle))
        try:
            return await self._connection.forward(sink)
        except FellSilent:
            raise self._silence() from None
        except (ConnectionLost, NotHttp) as fault:
            raise self._client.faults.cut() from fault
        except asyncio.CancelledError:
            self.close()
            raise
        finally:
            self._has_begun = self._has_begun or self._connection.heard_at >= self._reading_since
            self._reading_since = None

    def _silence(self) -> UpstreamFault:
        patience, faults = self._client.upstream.patience, self._client.faults
        if self._has_begun:
            return faults.idle_timeout(patience.idle)
        return faults.first_byte_timeout(patience.first_byte)

    @property
    def has_begun(self) -> bool:
        """Whether anything of the body has come, or all of it."""
        return self._has_begun

    def hold(self) -> None:
        """Leave what comes now in the kernel until `gather`."""
        self._is_held = True
        self._connection.pause()

    async def gather(self) -> bytes:
        """Wait for the beat, then return what has arrived since, or the next that comes."""
        if self._is_held:
            await self._client.beat.wait()
            if waiting := self._connection.take():
                return waiting
        return await self.read()

    async def body(self) -> bytes:
        """Return the whole body, up to the limit. Raise `UpstreamFault`."""
        pieces = []
        size = 0
        while size < BODY_LIMIT and (piece := await self.read()):
            pieces.append(piece)
            size += len(piece)
        return b"".join(pieces)

    def close(self) -> None:
        """End the call now: unless it has come to its end by itself, the connection closes at once."""
        if self._is_finished:
            return
        self._is_finished = True
        self._stop_watch()
        self._client.give_back(self._connection)

    def finish(self) -> None:
        """Let the last bytes come in the background, so that the connection can serve again."""
        self._is_finished = True
        self._stop_watch()
        self._client.drain(self._connection)

    def _stop_watch(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    def _look_in(self, seconds: float) -> None:
        self._stop_watch()
        self._watch = asyncio.get_running_loop().call_later(seconds, self._look)

    def _look(self) -> None:
        since, idle = self._reading_since, self._client.upstream.patience.idle
        if since is not None and self._connection.heard_at >= since:  # it is forwarded, and some of it has come
            since = self._connection.heard_at
            self._has_begun, self._limit = True, idle
        silent = 0.0 if since is None else monotonic() - since
        if silent < self._limit:
            self._look_in(min(self._limit - silent, idle))
        elif self._connection.fell_silent():
            self._watch = None
        else:  # it is the reader who is slow
            self._look_in(self._limit)


Asking: TypeAlias = Coroutine[Any, Any, UpstreamStream]


class UpstreamClient:
    """The connections to one upstream. Make it inside a running event loop."""

    def __init__(self, upstream: Upstream, faults: Faults, beat: Beat) -> None:
        self.upstream = upstream
        self.faults = faults
        self.beat = beat
        patience = upstream.patience
        route = Route(
            upstream.base_url,
            connect_seconds=patience.connect,
            ca_file=upstream.ca_file,
            use_proxy=upstream.use_proxy,
        )
        self.connections = Connections(route, keeps=upstream.keep_alive)
        self._headers = _headers(upstream)
        self._url = lru_cache(_KNOWN_PATHS)(upstream.url)
        self._drains: set[asyncio.Task[None]] = set()
        self._preparing: asyncio.Task[None] | None = None

    def post(self, path: str, body: bytes, sending: Sending | None = None) -> Asking:
        """Send `body`; return the answer when its head is there. `sending` is told once a connection has it, and where
        it was refused because of the key. Raise `UpstreamFault`.
        """
        return self._request("POST", path, self._headers, body, sending)

    def send(self, path: str, body: bytes, headers: Mapping[str, str], sending: Sending | None = None) -> Asking:
        """Send `body` with its own content type among `headers`, which otherwise give way to ours; else as `post`."""
        return self._request("POST", path, self._merged(headers), body, sending)

    async def upload(
        self, path: str, pieces: AsyncIterator[bytes], length: int | None, headers: Mapping[str, str]
    ) -> UpstreamStream:
        """Send a body that comes in pieces, never holding more than one of them; else as `send`."""
        body = StreamedBody(pieces, length)
        name, text = body.header
        return await self._request("POST", path, {**self._merged(headers), name: text}, body)

    def _merged(self, headers: Mapping[str, str]) -> dict[str, str]:
        return {**headers, **self._headers, "content-type": headers["content-type"]}

    def get(self, path: str) -> Asking:
        """Ask for `path`; return the answer when its head is there. Raise `UpstreamFault`."""
        return self._request("GET", path, self._headers, b"")

    async def _request(
        self, method: str, path: str, headers: dict[str, str], body: Body, sending: Sending | None = None
    ) -> UpstreamStream:
        late_key = self.upstream.late_key
        if late_key is None:
            return await self._sent(method, path, headers, body, sending)
        key = await self._read(late_key)
        stream = await self._sent(method, path, _with_key(headers, key), body, sending)
        if stream.status != _UNAUTHORIZED:
            return stream
        if isinstance(body, StreamedBody):  # it is gone; the next one has the newer key
            late_key.forget()
            return stream
        if sending is not None:
            sending.is_sent = False
        try:
            late_key.forget()
            newer = await self._read(late_key)
        except BaseException:  # cancelled too
            stream.close()
            raise
        if newer == key:
            return stream
        stream.close()
        return await self._sent(method, path, _with_key(headers, newer), body, sending)

    async def _read(self, late_key: LateKey) -> str:
        try:
            key = await late_key.read()
        except ProviderError as error:
            raise UpstreamFault(error) from error
        self.faults.hide(key)
        return key

    async def _sent(
        self, method: str, path: str, headers: dict[str, str], body: Body, sending: Sending | None
    ) -> UpstreamStream:
        try:
            connection = await self._exchanged(method, self._url(path), headers, body, sending)
        except HttpError as fault:
            raise self.faults.of_exchange(fault) from fault
        return UpstreamStream(connection, self)

    async def _exchanged(
        self, method: str, url: str, headers: dict[str, str], body: Body, sending: Sending | None
    ) -> Connection:
        connections, seconds = self.connections, self.upstream.patience.first_byte
        route = connections.route
        if isinstance(body, StreamedBody):
            return await connections.upload(route.request(method, url, headers, b""), body, seconds)
        request = route.request(method, url, headers, b"") if method == "GET" else route.post(url, headers, body)
        return await connections.ask(request, seconds, sending)

    def prepare(self) -> None:
        """Have a connection for a request that is expected, in the background, one at a time. Nobody is told where that
        comes to nothing: the request will be.
        """
        if self._preparing is None and not self.connections.is_ready:
            self._preparing = asyncio.get_running_loop().create_task(self._prepare())

    async def _prepare(self) -> None:
        try:
            with suppress(HttpError):
                await self.connections.prepare()
        finally:
            self._preparing = None

    def drain(self, connection: Connection) -> None:
        """Read the end of an answer that has said all, then keep its connection."""
        if connection.is_complete or not self.upstream.keep_alive:
            self.give_back(connection)
            return
        task = asyncio.get_running_loop().create_task(self._drain(connection))
        self._drains.add(task)
        task.add_done_callback(self._drains.discard)

    async def _drain(self, connection: Connection) -> None:
        try:
            async with asyncio.timeout(_DRAIN_SECONDS):
                while await connection.read():
                    pass
        except (TimeoutError, ConnectionLost, NotHttp):
            pass
        finally:
            self.give_back(connection)

    def give_back(self, connection: Connection) -> None:
        """Keep a connection for the next request, or close it where that cannot be."""
        self.connections.give_back(connection)

    async def aclose(self) -> None:
        """Close all connections."""
        for task in (*self._drains, self._preparing):
            if task is not None:
                task.cancel()
        await self.connections.aclose()


def _headers(upstream: Upstream) -> dict[str, str]:
    # Compressed streams come in lumps and cost time to undo.
    headers = {"accept-encoding": "identity", "content-type": "application/json", "user-agent": "daehwa"}
    if upstream.key:
        headers["authorization"] = f"Bearer {upstream.key}"
    headers.update({name.lower(): value for name, value in upstream.headers.items()})
    return headers


def _with_key(headers: dict[str, str], key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}", **headers}
