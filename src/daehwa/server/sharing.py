"""Lets the pages of some other sites, extensions and apps ask for `/v1` (CORS), where the settings name them. Nothing
else is shared.
"""

import re
from collections.abc import Awaitable, Collection
from typing import Any, Final

from daehwa.server.asgi import ASGIApp, Headers, Receive, Response, Scope, Send, header_of

SHARED: Final = "daehwa.shared"
"""Stands in the scope of a request by a page that may ask although it is another site's."""
SHARED_PATHS: Final = "/v1/"
_RATE_PARTS = (b"limit", b"remaining", b"reset")
_HEADER_NAMES = r"[A-Za-z0-9-]{1,64}( ?, ?[A-Za-z0-9-]{1,64}){0,63}"
_READABLE = b", ".join(
    [
        *(b"x-request-id", b"x-upstream-request-id", b"x-should-retry", b"retry-after", b"retry-after-ms"),
        *(b"x-ratelimit-%b-%b" % (what, of) for of in (b"requests", b"tokens") for what in _RATE_PARTS),
    ]
)
_PREFLIGHT_SECONDS = b"600"


class SharedWith:
    """Answers browsers that ask whether a page may ask, and says so on what it gets. Cookies are never let through:
    under `/v1` it is an API key that says who asks.
    """

    def __init__(self, app: ASGIApp, origins: Collection[str]) -> None:
        self._app = app
        self._origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if not scope["path"].startswith(SHARED_PATHS):
            await self._app(scope, receive, send)
            return
        origin = header_of(scope, b"origin")
        headers: Headers = [(b"vary", b"origin")]
        if origin is not None and origin.lower() in self._origins:
            scope[SHARED] = True
            headers.append((b"access-control-allow-origin", origin.encode("latin-1")))
            if scope["method"] == "OPTIONS":
                await Response(204, b"", [*headers, *_preflight(scope)])(scope, receive, send)
                return
            headers.append((b"access-control-expose-headers", _READABLE))

        def shared(message: Any) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *headers]
            return send(message)

        await self._app(scope, receive, shared)


def _preflight(scope: Scope) -> Headers:
    asked = header_of(scope, b"access-control-request-headers") or ""
    headers: Headers = [
        (b"access-control-allow-methods", b"GET, POST"),
        (b"access-control-max-age", _PREFLIGHT_SECONDS),
    ]
    if re.fullmatch(_HEADER_NAMES, asked):
        headers.append((b"access-control-allow-headers", asked.encode("ascii")))
    return headers
