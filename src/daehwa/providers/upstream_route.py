"""The way to an upstream: its address, the proxy before it, trust, and how a connection is opened."""

import asyncio
import base64
import socket
import ssl
from collections.abc import Callable
from typing import Any
from urllib.parse import SplitResult, quote, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from daehwa.providers.upstream import Upstream
from daehwa.providers.upstream_connection import ConnectionCut, NotHttp, UpstreamConnection
from daehwa.providers.upstream_faults import Faults, UpstreamFault

_PORTS = {"http": 80, "https": 443}
_HAPPY_EYEBALLS_SECONDS = 0.25
_SUCCESSES = range(200, 300)
_LINE_BREAKS = frozenset("\r\n\0")
_URL_LETTERS = "!#$%&'()*+,/:;=?@[]~"


class Route:
    """Opens connections to one upstream. Raise `UpstreamFault`s; the proxy is that of the environment, read once."""

    def __init__(self, upstream: Upstream, faults: Faults) -> None:
        self._upstream = upstream
        self._faults = faults
        self._address = _address(upstream.base_url)
        proxy = _proxy(upstream, self._address)
        self._proxy = _address(proxy, login=True) if proxy else None
        self._is_proxy_unknown = bool(proxy) and self._proxy is None
        self._trust: ssl.SSLContext | None = None

    def request(self, method: str, path: str, headers: dict[str, str], body: bytes) -> bytes:
        """Return the bytes of a request."""
        known = self._known_address()
        address = urlsplit(self._upstream.url(path))
        target = quote((address.path or "/") + (f"?{address.query}" if address.query else ""), safe=_URL_LETTERS)
        if self._proxy is not None and known.scheme == "http":
            target = f"http://{_host_and_port(known)}{target}"
            headers = {**headers, **_proxy_authorization(self._proxy)}
        return _head(f"{method} {target} HTTP/1.1", {"host": _host_header(known), **headers}) + body

    def _known_address(self) -> SplitResult:
        if self._address is None:
            raise self._faults.bad_address()
        return self._address

    async def connect(self, lost: Callable[[UpstreamConnection], None]) -> UpstreamConnection:
        """Open a connection, TLS and proxy included, within the time for it."""
        address = self._known_address()
        if self._is_proxy_unknown:
            raise self._faults.proxy_fault("its address is not of the form http://host:port")
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
            connection = await self._connected(address, None, lost)
        else:
            connection = await self._to_proxy(self._proxy, lost)
        if trust is None:
            return connection
        try:
            if self._proxy is not None:
                await self._through(connection, self._proxy, address)
            await connection.start_tls(trust, _ascii_host(address))
        except BaseException:  # cancelled too
            connection.close()
            raise
        return connection

    async def _connected(
        self, address: SplitResult, trust: ssl.SSLContext | None, lost: Callable[[UpstreamConnection], None]
    ) -> UpstreamConnection:
        loop = asyncio.get_running_loop()
        both: dict[str, Any] = {"happy_eyeballs_delay": _HAPPY_EYEBALLS_SECONDS}
        _, connection = await loop.create_connection(
            lambda: UpstreamConnection(lost),
            _ascii_host(address),
            address.port or _PORTS[address.scheme],
            ssl=trust,
            **(both if isinstance(loop, asyncio.BaseEventLoop) else {}),  # uvloop does not know it
        )
        return connection

    async def _to_proxy(self, proxy: SplitResult, lost: Callable[[UpstreamConnection], None]) -> UpstreamConnection:
        trust = await self._trusted() if proxy.scheme == "https" else None
        try:
            return await self._connected(proxy, trust, lost)
        except OSError as fault:
            raise self._faults.proxy_fault(_trouble(fault)) from fault

    async def _through(self, connection: UpstreamConnection, proxy: SplitResult, address: SplitResult) -> None:
        there = _host_and_port(address)
        connection.send(_head(f"CONNECT {there} HTTP/1.1", {"host": there, **_proxy_authorization(proxy)}))
        try:
            await connection.head()
        except ConnectionCut as fault:
            raise self._faults.proxy_fault("it hangs up") from fault
        if connection.status not in _SUCCESSES:
            raise self._faults.proxy_fault(str(connection.status))

    async def _trusted(self) -> ssl.SSLContext:
        if self._trust is None:  # reads some hundred certificates: 20–50 ms
            try:
                self._trust = await asyncio.to_thread(_trust, self._upstream.ca_file)
            except OSError as fault:
                raise self._faults.no_trust("its file of certificate authorities cannot be read") from fault
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
        if not name or _LINE_BREAKS & set(name + value) or ":" in name or " " in name:
            raise ValueError(f"'{name}' is not a header of one line.")


def _head(line: str, headers: dict[str, str]) -> bytes:
    check_headers(headers)
    lines = [line, *(f"{name}: {value}" for name, value in headers.items())]
    # Values outside ASCII go as UTF-8, as elsewhere; what the environment held undecoded goes as it was.
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape")


def _trust(ca_file: str | None) -> ssl.SSLContext:
    trust = ssl.create_default_context()
    trust.set_alpn_protocols(["http/1.1"])
    if ca_file is not None:
        trust.load_verify_locations(ca_file)
    return trust


def _address(url: str, *, login: bool = False) -> SplitResult | None:
    """Return the parts of an address, None where it is none or has a `login` that does not belong there."""
    try:
        address = urlsplit(url)
        known = address.scheme in _PORTS and bool(_ascii_host(address)) and address.port != 0
    except ValueError:
        return None
    breaks = any(letter.isspace() or not letter.isprintable() for letter in url)
    has_more = "@" in address.netloc or address.fragment
    return address if known and not breaks and (login or not has_more) else None


def _ascii_host(address: SplitResult) -> str:
    return (address.hostname or "").encode("idna").decode()


def _host_and_port(address: SplitResult) -> str:
    return f"{_bracketed(_ascii_host(address))}:{address.port or _PORTS[address.scheme]}"


def _host_header(address: SplitResult) -> str:
    is_usual = address.port in {None, _PORTS[address.scheme]}
    return _bracketed(_ascii_host(address)) if is_usual else _host_and_port(address)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _proxy(upstream: Upstream, address: SplitResult | None) -> str | None:
    if not upstream.use_proxy or address is None:
        return None
    host = _ascii_host(address)
    if _is_loopback(host) or proxy_bypass(host) or proxy_bypass(_host_and_port(address)):
        return None
    known = getproxies()
    found = known.get(address.scheme) or known.get("all")
    return found if not found or "://" in found else f"http://{found}"


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
