"""HTTP to one upstream: connections kept and used again, answers read as streams, faults named.

How a stream is read: after the first content it is *held*: the kernel collects several tokens, and `gather` reads them
at once on the beat that all streams share. Nothing here runs once per token, and no timer is set per read: one watch
a stream looks now and then whether it has fallen silent. Redirects are not followed: the key would go where nobody
meant it to.
"""

import asyncio
from collections.abc import Mapping

from daehwa.providers.pacing import Beat
from daehwa.providers.upstream import Upstream
from daehwa.providers.upstream_connection import ConnectionCut, FellSilent, NotHttp, UpstreamConnection
from daehwa.providers.upstream_faults import Faults
from daehwa.providers.upstream_route import Route

BODY_LIMIT = 8 * 1024 * 1024
"""Bytes of a body that is read as a whole: an error, a list of models, an answer that is not streamed."""

_DRAIN_SECONDS = 1.0
_KEEP_ALIVE_SECONDS = 60.0
_KEPT_CONNECTIONS = 64
_STALE_SECONDS = 1.0
_PROXY_AUTHENTICATION = 407


class UpstreamStream:
    """One answer of the upstream, being read."""

    def __init__(self, connection: UpstreamConnection, client: "UpstreamClient", waited: float) -> None:
        self.status = connection.status
        self.headers: Mapping[str, str] = connection.headers
        self._connection = connection
        self._client = client
        self._loop = asyncio.get_running_loop()
        self._has_begun = False
        self._is_held = False
        self._is_finished = False
        self._limit = max(0.001, client.upstream.patience.first_byte - waited)
        self._reading_since: float | None = None
        self._watch: asyncio.TimerHandle | None = self._loop.call_later(self._limit, self._look)

    async def read(self) -> bytes:
        """Return what has arrived, at least one byte; empty at the end. Raise `UpstreamFault`."""
        self._reading_since = self._loop.time()
        try:
            piece = await self._connection.read()
        except FellSilent:
            patience, faults = self._client.upstream.patience, self._client.faults
            if self._has_begun:
                raise faults.idle_timeout(patience.idle) from None
            raise faults.first_byte_timeout(patience.first_byte) from None
        except (ConnectionCut, NotHttp) as fault:
            raise self._client.faults.cut() from fault
        finally:
            self._reading_since = None
        if not self._has_begun:
            self._has_begun = True
            self._limit = self._client.upstream.patience.idle
            self._stop_watch()
            self._watch = self._loop.call_later(self._limit, self._look)
        return piece

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

    def _look(self) -> None:
        silent = 0.0 if self._reading_since is None else self._loop.time() - self._reading_since
        if silent >= self._limit:
            self._watch = None
            self._connection.fell_silent()
        else:
            self._watch = self._loop.call_later(self._limit - silent, self._look)


class UpstreamClient:
    """The connections to one upstream. Make it inside a running event loop."""

    def __init__(self, upstream: Upstream, faults: Faults, beat: Beat) -> None:
        self.upstream = upstream
        self.faults = faults
        self.beat = beat
        self._route = Route(upstream, faults)
        self._headers = _headers(upstream)
        self._idle: list[UpstreamConnection] = []
        self._busy: set[UpstreamConnection] = set()
        self._drains: set[asyncio.Task[None]] = set()
        self._is_closed = False

    async def post(self, path: str, body: bytes) -> UpstreamStream:
        """Send `body`; return the answer when its head is there. Raise `UpstreamFault`."""
        headers = {**self._headers, "content-length": str(len(body))}
        return await self._request(self._route.request("POST", path, headers, body))

    async def get(self, path: str) -> UpstreamStream:
        """Ask for `path`; return the answer when its head is there. Raise `UpstreamFault`."""
        return await self._request(self._route.request("GET", path, self._headers, b""))

    async def _request(self, request: bytes) -> UpstreamStream:
        if self._is_closed:
            raise self.faults.closed()
        kept = self._kept()
        if kept is not None:
            began = asyncio.get_running_loop().time()
            try:
                return await self._answer(kept, request)
            except ConnectionCut as fault:
                # Closed while it was idle, as it may be: that shows at once and without a word, and then a new one
                # is tried, once. Anything else may have been worked on, and paid for: that is not for us to repeat.
                if kept.has_answered or asyncio.get_running_loop().time() - began > _STALE_SECONDS:
                    raise self.faults.connection_lost() from fault
                self._close_idle()  # they are no fresher
        try:
            return await self._answer(await self._new(), request)
        except ConnectionCut as fault:
            raise self.faults.connection_lost() from fault

    async def _new(self) -> UpstreamConnection:
        connection = await self._route.connect(self._forget)
        if self._is_closed:
            connection.close()
            raise self.faults.closed()
        if not connection.is_lost:
            self._busy.add(connection)
        return connection

    def _kept(self) -> UpstreamConnection | None:
        oldest = asyncio.get_running_loop().time() - _KEEP_ALIVE_SECONDS
        while self._idle:
            connection = self._idle.pop()
            self._busy.add(connection)
            if connection.is_reusable and connection.idle_since >= oldest:
                return connection
            connection.close()
        return None

    async def _answer(self, connection: UpstreamConnection, request: bytes) -> UpstreamStream:
        loop, patience = asyncio.get_running_loop(), self.upstream.patience
        began = loop.time()
        has_answered = False
        try:
            connection.send(request)
            async with asyncio.timeout(patience.first_byte):
                await connection.head()
            if connection.status == _PROXY_AUTHENTICATION:
                raise self.faults.proxy_fault("407")
            has_answered = True
        except TimeoutError:
            raise self.faults.first_byte_timeout(patience.first_byte) from None
        except NotHttp as fault:
            raise self.faults.malformed(str(fault)) from fault
        finally:
            if not has_answered:
                connection.close()
        return UpstreamStream(connection, self, loop.time() - began)

    def drain(self, connection: UpstreamConnection) -> None:
        """Read the end of an answer that has said all, then keep its connection."""
        if connection.is_complete or not self.upstream.keep_alive:
            self.give_back(connection)
            return
        task = asyncio.get_running_loop().create_task(self._drain(connection))
        self._drains.add(task)
        task.add_done_callback(self._drains.discard)

    async def _drain(self, connection: UpstreamConnection) -> None:
        try:
            async with asyncio.timeout(_DRAIN_SECONDS):
                while await connection.read():
                    pass
        except (TimeoutError, ConnectionCut, NotHttp):
            pass
        finally:
            self.give_back(connection)

    def give_back(self, connection: UpstreamConnection) -> None:
        """Keep a connection for the next request, or close it where that cannot be."""
        self._busy.discard(connection)
        keep = self.upstream.keep_alive and not self._is_closed and len(self._idle) < _KEPT_CONNECTIONS
        if keep and connection.is_reusable:
            connection.resume()
            now = connection.idle_since = asyncio.get_running_loop().time()
            self._idle.append(connection)
            while self._idle[0].idle_since < now - _KEEP_ALIVE_SECONDS:  # the last used is used first
                self._idle.pop(0).close()
        else:
            connection.close()

    def _forget(self, connection: UpstreamConnection) -> None:
        self._busy.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)

    def _close_idle(self) -> None:
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    async def aclose(self) -> None:
        """Close all connections."""
        self._is_closed = True
        for task in tuple(self._drains):
            task.cancel()
        self._close_idle()
        for connection in tuple(self._busy):
            connection.close()
        await asyncio.sleep(0)  # asyncio closes the sockets in the next turn of the loop


def _headers(upstream: Upstream) -> dict[str, str]:
    # Compressed streams come in lumps and cost time to undo.
    headers = {"accept-encoding": "identity", "content-type": "application/json", "user-agent": "daehwa"}
    if upstream.key:
        headers["authorization"] = f"Bearer {upstream.key}"
    headers.update({name.lower(): value for name, value in upstream.headers.items()})
    return headers
