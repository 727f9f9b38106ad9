"""HTTP to one upstream, on aiohttp: the only module that imports it, and itself imported on first use alone.

How a stream is read: after the first content the socket is paused between reads (`hold`) and read again on the shared
beat (`gather`), so that the kernel collects several tokens and one wake-up serves them all. Nothing here runs once per
token, and no timer is set per read: one watch a stream looks now and then whether it has fallen silent.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Mapping
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from daehwa.providers.pacing import Beat
from daehwa.providers.upstream import Upstream
from daehwa.providers.upstream_faults import Faults, UpstreamFault

BODY_LIMIT = 8 * 1024 * 1024
"""Bytes of a body that is read as a whole: an error, a list of models, an answer that is not streamed."""

_DRAIN_SECONDS = 1.0
_KEEP_ALIVE_SECONDS = 60.0


class _FellSilent(Exception):  # noqa: N818 - stays in this module
    pass


class UpstreamStream:
    """One answer of the upstream, being read."""

    def __init__(self, response: aiohttp.ClientResponse, client: "UpstreamClient", waited: float) -> None:
        self.status = response.status
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in response.headers.items()}
        self._response = response
        self._client = client
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.BaseTransport | None = None
        self._has_begun = False
        self._is_finished = False
        self._limit = max(0.001, client.upstream.patience.first_byte - waited)
        self._reading_since: float | None = None
        self._watch: asyncio.TimerHandle | None = self._loop.call_later(self._limit, self._look)

    async def read(self) -> bytes:
        """Return what has arrived, at least one byte; empty at the end. Raise `UpstreamFault`."""
        self._reading_since = self._loop.time()
        try:
            piece = await self._response.content.readany()
        except _FellSilent:
            patience = self._client.upstream.patience
            faults = self._client.faults
            if self._has_begun:
                raise faults.idle_timeout(patience.idle) from None
            raise faults.first_byte_timeout(patience.first_byte) from None
        except (aiohttp.ClientError, OSError) as fault:
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
        connection = self._response.connection
        if connection is not None and isinstance(connection.transport, asyncio.ReadTransport):
            self._transport = connection.transport
            connection.transport.pause_reading()

    async def gather(self) -> bytes:
        """Wait for the beat, then read what has arrived since, or the next that comes."""
        if self._transport is not None:
            await self._client.beat.wait()
            self._resume()
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
        self._resume()
        self._stop_watch()
        connection = self._response.connection
        if connection is not None and isinstance(connection.transport, asyncio.WriteTransport):
            connection.transport.abort()  # close() of a TLS connection would wait for the other side
        self._response.close()

    def finish(self) -> None:
        """Let the last bytes come in the background, so that the connection can serve again."""
        self._is_finished = True
        self._resume()
        self._stop_watch()
        if self._response.connection is not None:
            self._client.drain(self._response)

    def _resume(self) -> None:
        if isinstance(self._transport, asyncio.ReadTransport):
            self._transport.resume_reading()
        self._transport = None

    def _stop_watch(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    def _look(self) -> None:
        silent = 0.0 if self._reading_since is None else self._loop.time() - self._reading_since
        if silent >= self._limit:
            self._watch = None
            self._response.content.set_exception(_FellSilent())
        else:
            self._watch = self._loop.call_later(self._limit - silent, self._look)


class UpstreamClient:
    """The connections to one upstream. Make it inside a running event loop."""

    def __init__(self, upstream: Upstream, faults: Faults, beat: Beat) -> None:
        self.upstream = upstream
        self.faults = faults
        self.beat = beat
        self._drains: set[asyncio.Task[None]] = set()
        trust: ssl.SSLContext | bool = True
        if upstream.ca_file is not None:
            trust = ssl.create_default_context()
            trust.load_verify_locations(upstream.ca_file)
        connector = (
            aiohttp.TCPConnector(limit=0, ssl=trust, keepalive_timeout=_KEEP_ALIVE_SECONDS)
            if upstream.keep_alive
            else aiohttp.TCPConnector(limit=0, ssl=trust, force_close=True)
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, connect=upstream.patience.connect),
            headers=_headers(upstream),
            read_bufsize=BODY_LIMIT,
        )
        self._proxy: URL | None = None
        self._proxy_auth: aiohttp.BasicAuth | None = None
        with contextlib.suppress(ValueError):  # a base URL that is none: each request says so
            self._proxy, self._proxy_auth = _proxy(upstream)

    async def post(self, path: str, body: bytes) -> UpstreamStream:
        """Send `body`; return the answer when its head is there. Raise `UpstreamFault`."""
        return await self._request("POST", path, body)

    async def get(self, path: str) -> UpstreamStream:
        """Ask for `path`; return the answer when its head is there. Raise `UpstreamFault`."""
        return await self._request("GET", path, None)

    async def _request(self, method: str, path: str, body: bytes | None) -> UpstreamStream:
        patience = self.upstream.patience
        began = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(patience.connect + patience.first_byte):
                # Redirects are not followed: the key would go where nobody meant it to.
                response = await self._session.request(
                    method,
                    URL(self.upstream.url(path), encoded=True),
                    data=body,
                    allow_redirects=False,
                    proxy=self._proxy,
                    proxy_auth=self._proxy_auth,
                )
        except (aiohttp.ClientError, OSError, ValueError) as fault:
            raise self._fault(fault) from fault
        return UpstreamStream(response, self, asyncio.get_running_loop().time() - began)

    def _fault(self, fault: Exception) -> UpstreamFault:
        faults, patience = self.faults, self.upstream.patience
        if isinstance(fault, aiohttp.ConnectionTimeoutError):
            return faults.connect_timeout(patience.connect)
        if isinstance(fault, TimeoutError):
            return faults.first_byte_timeout(patience.first_byte)
        if isinstance(fault, aiohttp.NonHttpUrlClientError | ValueError) and not isinstance(fault, OSError):
            return faults.bad_address()
        return self._connection_fault(fault)

    def _connection_fault(self, fault: Exception) -> UpstreamFault:
        faults = self.faults
        match fault:
            case aiohttp.ClientConnectorCertificateError():
                made = faults.no_trust(_certificate_trouble(fault.certificate_error))
            case aiohttp.ClientSSLError():
                made = faults.no_trust(fault.os_error.strerror or "the TLS handshake failed")
            case aiohttp.ClientProxyConnectionError():
                made = faults.proxy_fault(fault.os_error.strerror or "no connection")
            case aiohttp.ClientHttpProxyError():
                made = faults.proxy_fault(str(fault.status))
            case aiohttp.ClientConnectorDNSError():
                made = faults.name_not_found()
            case aiohttp.ClientConnectorError():
                made = faults.refused_connection(_connect_trouble(fault.os_error))
            case aiohttp.ClientResponseError():
                made = faults.malformed("something that is not HTTP")
            case _:
                made = faults.connection_lost()
        return made

    def drain(self, response: aiohttp.ClientResponse) -> None:
        """Read the end of an answer that has said all, then keep its connection."""
        if not self.upstream.keep_alive:
            response.close()
            return
        task = asyncio.get_running_loop().create_task(_drain(response))
        self._drains.add(task)
        task.add_done_callback(self._drains.discard)

    async def aclose(self) -> None:
        """Close all connections."""
        for task in tuple(self._drains):
            task.cancel()
        await self._session.close()


async def _drain(response: aiohttp.ClientResponse) -> None:
    try:
        async with asyncio.timeout(_DRAIN_SECONDS):
            while await response.content.readany():
                pass
    except (aiohttp.ClientError, OSError):
        pass
    finally:
        response.close()  # a no-op once the end has come and the connection went back to the pool


def _headers(upstream: Upstream) -> dict[str, str]:
    # Compressed streams come in lumps and cost time to undo.
    headers = {"accept-encoding": "identity", "content-type": "application/json", "user-agent": "daehwa"}
    if upstream.key:
        headers["authorization"] = f"Bearer {upstream.key}"
    headers.update({name.lower(): value for name, value in upstream.headers.items()})
    return headers


def _proxy(upstream: Upstream) -> tuple[URL | None, aiohttp.BasicAuth | None]:
    # aiohttp's trust_env asks two threads per request and takes passwords from ~/.netrc; the environment is read once.
    address = URL(upstream.base_url)
    if not upstream.use_proxy or address.host is None or _is_loopback(address.host) or proxy_bypass(address.host):
        return None, None
    found = getproxies().get(address.scheme) or getproxies().get("all")
    if not found:
        return None, None
    proxy = URL(found if "://" in found else f"http://{found}")
    auth = aiohttp.BasicAuth(proxy.user, proxy.password or "") if proxy.user else None
    return proxy.with_user(None), auth


def _is_loopback(host: str) -> bool:
    return host in {"localhost", "::1"} or host.startswith("127.")


def _certificate_trouble(fault: Exception) -> str:
    return str(getattr(fault, "verify_message", "")) or "its certificate is not trusted"


def _connect_trouble(fault: OSError) -> str:
    return "connection refused" if isinstance(fault, ConnectionRefusedError) else fault.strerror or "it hangs up"
