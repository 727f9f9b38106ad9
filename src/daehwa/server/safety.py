"""What keeps other sites out: checks of Host and Origin before anything is done, and headers on every answer."""

from typing import Any

from daehwa.server.asgi import ASGIApp, Receive, Scope, Send, header_of
from daehwa.server.errors import CrossSiteRequest, HostNotAllowed
from daehwa.server.options import ServerOptions

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
SAFETY_HEADERS = [
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
]


class SafetyHeaders:
    """Adds the headers that hold for every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""

        async def guarded(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *SAFETY_HEADERS]
            await send(message)

        await self._app(scope, receive, guarded)


class SafetyChecks:
    """Refuses foreign Host names (DNS rebinding) and changes asked for by other sites' pages."""

    def __init__(self, app: ASGIApp, options: ServerOptions) -> None:
        self._app = app
        self._hosts = _LOOPBACK | {host.lower() for host in options.allowed_hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or raise `HostNotAllowed` or `CrossSiteRequest`."""
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1 or not self._is_ours(hosts[0].decode("latin-1").lower(), scope):
            raise HostNotAllowed
        if scope["method"] not in _SAFE_METHODS and _is_cross_site(scope, hosts[0].decode("latin-1")):
            raise CrossSiteRequest
        await self._app(scope, receive, send)

    def _is_ours(self, host: str, scope: Scope) -> bool:
        name = _without_port(host)
        if name in self._hosts:
            return True
        # The numeric address that this connection was made to: a name pointed here by others can never be that.
        server = scope.get("server")
        return server is not None and name.strip("[]") == server[0]


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdecimal() else host


def _is_cross_site(scope: Scope, host: str) -> bool:
    """Browsers say where a request comes from, in one of two headers; programs say nothing."""
    site = header_of(scope, b"sec-fetch-site")
    if site is not None:
        return site not in {"same-origin", "none"}
    origin = header_of(scope, b"origin")
    return origin is not None and origin.partition("://")[2].lower() != host.lower()
