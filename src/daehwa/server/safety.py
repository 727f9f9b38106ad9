"""What keeps other sites out: checks of Host and Origin before anything is done, and headers on every answer."""

from collections.abc import Awaitable, Container
from typing import Any

from daehwa.server.asgi import ASGIApp, Headers, Receive, Scope, Send, header_of
from daehwa.server.errors import CrossSiteRequest, HostNotAllowed
from daehwa.server.identity import Identity
from daehwa.server.options import ServerOptions
from daehwa.server.sharing import SHARED, SHARED_PATHS

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_PRIVATE = ("/api/", "/auth/", "/v1/")
_HOW_TO_SHARE = (
    "Sites, extensions and apps that the setting cors_origins names by their Origin may ask for /v1; on AWS there is "
    "no such setting."
)

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types svelte-trusted-html"
)
"""The page makes no HTML of text. The one policy is Svelte's, which parses the components' own templates."""
SAFETY_HEADERS = [
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
_POLICY = b"content-security-policy"


def _unless_given(given: Container[bytes]) -> Headers:
    return [(name, value) for name, value in SAFETY_HEADERS if name not in given]


class SafetyHeaders:
    """Adds the headers that hold for every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""

        def guarded(message: Any) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                given = dict(message["headers"])
                # An image, and a file of the classic page, has a policy of its own.
                added = SAFETY_HEADERS if _POLICY not in given else _unless_given(given)
                headers = [*message["headers"], *added]
                if scope["path"].startswith(_PRIVATE) and b"cache-control" not in given:
                    headers.append((b"cache-control", b"no-store"))
                message["headers"] = headers
            return send(message)

        await self._app(scope, receive, guarded)


class SafetyChecks:
    """Refuses foreign Host names (DNS rebinding) and changes asked for by other sites' pages.

    Where people sign in, a browser that brings a session must also say where its request comes from; any of the last
    years does. Programs bring no cookie, and need say nothing.
    """

    def __init__(self, app: ASGIApp, options: ServerOptions, identity: Identity, public_url: str | None) -> None:
        self._app = app
        self._identity = identity
        self.cors_origins = options.cors_origins
        self._public_url = None if public_url is None else public_url.lower()
        own = () if self._public_url is None else (_without_port(self._public_url.partition("://")[2]),)
        self._hosts = _LOOPBACK | {host.lower() for host in options.allowed_hosts} | set(own)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or raise `HostNotAllowed` or `CrossSiteRequest`."""
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1 or not self._is_ours(hosts[0].decode("latin-1").lower(), scope):
            raise HostNotAllowed
        is_change = scope["method"] not in _SAFE_METHODS
        if is_change and self._is_cross_site(scope, hosts[0].decode("latin-1")) and SHARED not in scope:
            raise CrossSiteRequest(_HOW_TO_SHARE if scope["path"].startswith(SHARED_PATHS) else "")
        await self._app(scope, receive, send)

    def _is_ours(self, host: str, scope: Scope) -> bool:
        name = _without_port(host)
        if name in self._hosts:
            return True
        # The numeric address that this connection was made to: a name pointed here by others can never be that.
        server = scope.get("server")
        return server is not None and name.strip("[]") == server[0]

    def _is_cross_site(self, scope: Scope, host: str) -> bool:
        """Browsers say where a request comes from, in one of two headers; programs say nothing."""
        has_cookie = self._identity.has_cookie(scope)
        site = header_of(scope, b"sec-fetch-site")
        if site is not None:
            return site != "same-origin" and (has_cookie or site != "none")
        origin = header_of(scope, b"origin")
        if origin is None:
            return has_cookie
        if origin.lower() == self._public_url:
            return False
        return has_cookie or origin.partition("://")[2].lower() != host.lower()


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdecimal() else host
