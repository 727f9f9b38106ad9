"""The way to a server: its address, the proxy before it, trust, and how a connection is opened."""

import asyncio
import base64
import re
import socket
import ssl
from collections.abc import Callable, Coroutine
from functools import lru_cache
from typing import Any
from urllib.parse import SplitResult, quote, unquote, urlsplit

from daehwa.http_client.addresses import Opened, addresses_of, first_reached
from daehwa.http_client.connection import Connection
from daehwa.http_client.errors import ConnectFailed, ConnectionLost, NotHttp, Reason, TimedOut
from daehwa.http_client.inward import NoFurtherIn
from daehwa.http_client.tls import trusted_authorities

_PORTS = {"http": 80, "https": 443}
_SUCCESSES = range(200, 300)
_KNOWN_TARGETS = 64  # nearly every request goes where one went before
_NO_NAME = re.compile(r"[\r\n\0: ]")
_LINE_BREAK = re.compile(r"[\r\n\0]")
_URL_LETTERS = "!#$%&'()*+,/:;=?@[]~"


class Route:
    """Opens connections to the server of one address. Raise `HttpError`s; the proxy is the environment's, read once.

    `host` is its host and port, for people. `guard` is asked about each address that was reached; not where a proxy is
    in between, which alone knows it.
    """

    def __init__(
        self,
        url: str,
        *,
        connect_seconds: float,
        ca_file: str | None = None,
        use_proxy: bool = True,
        guard: NoFurtherIn | None = None,
    ) -> None:
        self._url = url
        self._guard = guard
        self.host = url.partition("://")[2].partition("/")[0].rpartition("@")[2] or url
        self._connect_seconds = connect_seconds
        self._ca_file = ca_file
        self._address = _address(url)
        proxy = _proxy(self._address) if use_proxy else None
        self._proxy = _address(proxy, login=True) if proxy else None
        self._is_proxy_unknown = bool(proxy) and self._proxy is None
        self._host_header = "" if self._address is None else _host_header(self._address)
        self._target = lru_cache(_KNOWN_TARGETS)(self._target_of)
        self._repeated = lru_cache(_KNOWN_TARGETS)(self._beginning)

    def post(self, url: str, headers: dict[str, str], body: bytes) -> bytes:
        """Return the bytes of a POST whose headers are those of many others; the body's length is added to them."""
        return b"%bcontent-length: %d\r\n\r\n%b" % (self._repeated(url, tuple(headers.items())), len(body), body)

    def _beginning(self, url: str, headers: tuple[tuple[str, str], ...]) -> bytes:
        return self.request("POST", url, dict(headers), b"").removesuffix(b"\r\n")

    def request(self, method: str, url: str, headers: dict[str, str], body: bytes) -> bytes:
        """Return the bytes of a request for `url`, an address at this server."""
        line = f"{method} {self._target(url)} HTTP/1.1"
        if self._proxy is not None and self.is_relayed:
            headers = {**headers, **_proxy_authorization(self._proxy)}
        return _head(line, {"host": self._host_header, **headers}) + body

    def _target_of(self, url: str) -> str:
        known, address = self._known_address(), urlsplit(url)
        target = quote((address.path or "/") + (f"?{address.query}" if address.query else ""), safe=_URL_LETTERS)
        if self.is_relayed:
            return f"http://{_host_and_port(known)}{target}"
        return target

    @property
    def is_relayed(self) -> bool:
        """Whether a proxy reads the requests and answers some itself. To `https` it is a tunnel."""
        return self._proxy is not None and self._known_address().scheme == "http"

    def _known_address(self) -> SplitResult:
        if self._address is None:
            raise self._failed("address")
        return self._address

    def _failed(self, reason: Reason, detail: str = "") -> ConnectFailed:
        return ConnectFailed(reason, self.host, detail)

    async def connect(self, lost: Callable[[Connection], None]) -> Connection:
        """Open a connection, TLS and proxy included, within the time for it. Raise `HttpError`."""
        address = self._known_address()
        if self._is_proxy_unknown:
            raise self._failed("proxy", "its address is not of the form http://host:port")
        seconds = self._connect_seconds
        try:
            async with asyncio.timeout(seconds):
                return await self._opened(address, lost)
        except TimeoutError:
            raise TimedOut(self.host, seconds, connecting=True) from None
        except OSError as fault:
            raise self._fault(fault) from fault
        except NotHttp as fault:
            raise self._failed("proxy", "it does not answer in HTTP") from fault

    async def _opened(self, address: SplitResult, lost: Callable[[Connection], None]) -> Connection:
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
        self, address: SplitResult, trust: ssl.SSLContext | None, lost: Callable[[Connection], None]
    ) -> Connection:
        loop, host = asyncio.get_running_loop(), _ascii_host(address)
        port, name = address.port or _PORTS[address.scheme], host if trust is not None else None

        def open_one(at: str) -> Coroutine[Any, Any, Opened]:
            return loop.create_connection(lambda: Connection(lost), at, port, ssl=trust, server_hostname=name)

        if _is_number(host):
            transport, connection = await open_one(host)
        else:
            transport, connection = await first_reached(await addresses_of(host, port), open_one)
        if self._guard is not None and self._proxy is None:
            peer = transport.get_extra_info("peername")
            if peer is None or not self._guard.allows(self._url, peer[0]):
                transport.abort()
                raise self._failed("refused", "it lies further inside the network than this server may be sent")
        return connection

    async def _to_proxy(self, proxy: SplitResult, lost: Callable[[Connection], None]) -> Connection:
        trust = await self._trusted() if proxy.scheme == "https" else None
        try:
            return await self._connected(proxy, trust, lost)
        except OSError as fault:
            raise self._failed("proxy", _trouble(fault)) from fault

    async def _through(self, connection: Connection, proxy: SplitResult, address: SplitResult) -> None:
        there = _host_and_port(address)
        connection.send(_head(f"CONNECT {there} HTTP/1.1", {"host": there, **_proxy_authorization(proxy)}))
        try:
            await connection.head(self._connect_seconds)
        except ConnectionLost as fault:
            raise self._failed("proxy", "it hangs up") from fault
        if connection.status not in _SUCCESSES:
            raise self._failed("proxy", str(connection.status))

    async def _trusted(self) -> ssl.SSLContext:
        try:
            return await trusted_authorities(self._ca_file)
        except OSError as fault:
            raise self._failed("trust", "its file of certificate authorities cannot be read") from fault

    def _fault(self, fault: OSError) -> ConnectFailed:
        if isinstance(fault, ssl.SSLCertVerificationError):
            return self._failed("trust", fault.verify_message or "its certificate is not trusted")
        if isinstance(fault, ssl.SSLError):
            return self._failed("trust", fault.reason or "the TLS handshake failed")
        if isinstance(fault, socket.gaierror):
            return self._failed("name")
        return self._failed("refused", _trouble(fault))


def origin_of(url: str) -> str:
    """Return the part of an address that names the server; of one that is none, all of it."""
    scheme, mark, rest = url.partition("://")
    end = next((n for n, letter in enumerate(rest) if letter in "/?#"), len(rest))
    return f"{scheme}{mark}{rest[:end]}" if mark else url


def _is_number(host: str) -> bool:
    """Whether a host is an IP address already."""
    return ":" in host or host.rpartition(".")[2].isdecimal()


def check_headers(headers: dict[str, str]) -> None:
    """Raise `ValueError` on a header that would break out of its line."""
    for name, value in headers.items():
        if not name or _NO_NAME.search(name) or _LINE_BREAK.search(value):
            raise ValueError(f"'{name}' is not a header of one line.")


def _head(line: str, headers: dict[str, str]) -> bytes:
    check_headers(headers)
    lines = [line, *(f"{name}: {value}" for name, value in headers.items())]
    # Values outside ASCII go as UTF-8, as elsewhere; what the environment held undecoded goes as it was.
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape")


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


def _proxy(address: SplitResult | None) -> str | None:
    if address is None:
        return None
    host = _ascii_host(address)
    if _is_loopback(host):
        return None
    from urllib.request import getproxies, proxy_bypass  # noqa: PLC0415 - brings 40 modules, which a start can do without

    if proxy_bypass(host) or proxy_bypass(_host_and_port(address)):
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
