"""The way to an upstream: its address, the proxy before it, trust, and how a connection is opened."""

import asyncio
import base64
import socket
import ssl
from collections.abc import Callable
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from daehwa.providers.upstream import Upstream
from daehwa.providers.upstream_connection import ConnectionCut, NotHttp, UpstreamConnection
from daehwa.providers.upstream_faults import Faults, UpstreamFault

_PORTS = {"http": 80, "https": 443}
_HAPPY_EYEBALLS_SECONDS = 0.25
_OK = 200
_BODY_BREAKS = frozenset("\r\n\0")


class Route:
    """Opens connections to one upstream. Raise `UpstreamFault`s; the proxy is that of the environment, read once."""

    def __init__(self, upstream: Upstream, faults: Faults) -> None:
        self._upstream = upstream
        self._faults = faults
        self._address = _address(upstream.base_url)
        self._proxy = _proxy(upstream, self._address)
        self._trust: ssl.SSLContext | None = None

    def request(self, method: str, path: str, headers: dict[str, str], body: bytes) -> bytes:
        """Return the bytes of a request."""
        address = urlsplit(self._upstream.url(path))
        target = (address.path or "/") + (f"?{address.query}" if address.query else "")
        if self._proxy is not None and address.scheme == "http":
            target = f"http://{_host_and_port(self._known_address())}{target}"
            headers = {**headers, **_proxy_authorization(self._proxy)}
        return _head(f"{method} {target} HTTP/1.1", {"host": _host_header(self._known_address()), **headers}) + body

    def _known_address(self) -> SplitResult:
        if self._address is None:
            raise self._faults.bad_address()
        return self._address

    async def connect(self, lost: Callable[[UpstreamConnection], None]) -> UpstreamConnection:
        """Open a connection, TLS and proxy included, within the time for it."""
        address = self._known_address()
        seconds = self._upstream.patience.connect
        try:
            async with asyncio.timeout(seconds):
                return await self._opened(address, lost)
        except TimeoutError:
            raise self._faults.connect_timeout(seconds) from None
        except OSError as fault:
            raise self._fault(fault) from fault
        except ConnectionCut as fault:
            raise self._faults.connection_lost() from fault
        except NotHttp as fault:
            raise self._faults.proxy_fault("it does not answer in HTTP") from fault

    async def _opened(self, address: SplitResult, lost: Callable[[UpstreamConnection], None]) -> UpstreamConnection:
        trust = await self._trusted() if address.scheme == "https" else None
        if self._proxy is None:
            return await self._connected(address, trust, lost)
        connection = await self._to_proxy(self._proxy, lost)
        if trust is not None:
            await self._through(connection, self._proxy, address, trust)
        return connection

    async def _connected(
        self, address: SplitResult, trust: ssl.SSLContext | None, lost: Callable[[UpstreamConnection], None]
    ) -> UpstreamConnection:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(
            lambda: UpstreamConnection(lost),
            address.hostname or "",
            address.port or _PORTS[address.scheme],
            ssl=trust,
            happy_eyeballs_delay=_HAPPY_EYEBALLS_SECONDS,
        )
        return connection

    async def _to_proxy(self, proxy: SplitResult, lost: Callable[[UpstreamConnection], None]) -> UpstreamConnection:
        trust = await self._trusted() if proxy.scheme == "https" else None
        try:
            return await self._connected(proxy, trust, lost)
        except OSError as fault:
            raise self._faults.proxy_fault(_trouble(fault)) from fault

    async def _through(
        self, connection: UpstreamConnection, proxy: SplitResult, address: SplitResult, trust: ssl.SSLContext
    ) -> None:
        there = _host_and_port(address)
        connection.send(_head(f"CONNECT {there} HTTP/1.1", {"host": there, **_proxy_authorization(proxy)}))
        await connection.head()
        if connection.status != _OK:
            connection.close()
            raise self._faults.proxy_fault(str(connection.status))
        await connection.start_tls(trust, address.hostname or "")

    async def _trusted(self) -> ssl.SSLContext:
        if self._trust is None:  # reads some hundred certificates: 20–50 ms
            self._trust = await asyncio.to_thread(ssl.create_default_context)
            if self._upstream.ca_file is not None:
                await asyncio.to_thread(self._trust.load_verify_locations, self._upstream.ca_file)
        return self._trust

    def _fault(self, fault: OSError) -> UpstreamFault:
        if isinstance(fault, ssl.SSLCertVerificationError):
            return self._faults.no_trust(fault.verify_message or "its certificate is not trusted")
        if isinstance(fault, ssl.SSLError):
            return self._faults.no_trust(fault.reason or "the TLS handshake failed")
        if isinstance(fault, socket.gaierror):
            return self._faults.name_not_found()
        return self._faults.refused_connection(_trouble(fault))


def check_headers(headers: dict[str, str]) -> None:
    """Raise `ValueError` on a header that would break out of its line."""
    for name, value in headers.items():
        if not name or _BODY_BREAKS & set(name + value) or ":" in name or " " in name:
            raise ValueError(f"'{name}' is not a header of one line.")


def _head(line: str, headers: dict[str, str]) -> bytes:
    check_headers(headers)
    lines = [line, *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def _address(base_url: str) -> SplitResult | None:
    try:
        address = urlsplit(base_url)
        known = address.scheme in _PORTS and bool(address.hostname) and (address.port or 1) > 0
    except ValueError:
        return None
    breaks = any(letter.isspace() or not letter.isprintable() for letter in base_url)
    return address if known and not breaks else None


def _ascii_host(address: SplitResult) -> str:
    host = address.hostname or ""
    host = host if host.isascii() else host.encode("idna").decode()
    return f"[{host}]" if ":" in host else host


def _host_and_port(address: SplitResult) -> str:
    return f"{_ascii_host(address)}:{address.port or _PORTS[address.scheme]}"


def _host_header(address: SplitResult) -> str:
    is_usual = address.port in {None, _PORTS[address.scheme]}
    return _ascii_host(address) if is_usual else _host_and_port(address)


def _proxy(upstream: Upstream, address: SplitResult | None) -> SplitResult | None:
    if not upstream.use_proxy or address is None or address.hostname is None or _is_loopback(address.hostname):
        return None
    if proxy_bypass(address.hostname):
        return None
    known = getproxies()
    found = known.get(address.scheme) or known.get("all")
    return _address(found if "://" in found else f"http://{found}") if found else None


def _proxy_authorization(proxy: SplitResult) -> dict[str, str]:
    if not proxy.username:
        return {}
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"proxy-authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


def _is_loopback(host: str) -> bool:
    return host in {"localhost", "::1"} or host.startswith("127.")


def _trouble(fault: OSError) -> str:
    if isinstance(fault, ConnectionRefusedError) or "refused" in str(fault):
        return "connection refused"
    return fault.strerror or "it hangs up"
