"""Errors as HTTP: the core's tree and this server's own become a status and a JSON body, in this one place."""

import logging
from collections.abc import Callable, Sequence

import msgspec

from daehwa.accounts.errors import (
    BudgetExceeded,
    KeyRefused,
    NotAllowed,
    NotSignedIn,
    PriceUnknown,
    RateExceeded,
    SignInFailed,
    SignInUnavailable,
)
from daehwa.conversation.errors import (
    Conflict,
    DaehwaError,
    InvalidRequest,
    KeyNotSet,
    ModelNotOffered,
    NotFound,
    ProviderError,
    ProviderRateLimitError,
    ProviderTimeoutError,
    ProviderUnavailableError,
    StoreError,
    TimeIsUp,
    TooMuch,
    Unreadable,
)
from daehwa.conversation.metering import AskedBy
from daehwa.gateway.errors import ShuttingDown
from daehwa.server.access_log import exchange_of
from daehwa.server.asgi import ASGIApp, ClientLeftError, Headers, Receive, Response, Scope, Send, json_response
from daehwa.sign_in.errors import CredentialsRefused, TooManyAttempts

RETRY_SECONDS = 5
"""After so long whoever was refused by a server that ends may ask the next one, and one that is full again."""

_TURNS = "/api/turns"
_log = logging.getLogger("daehwa.server")


class RouteNotFound(NotFound):
    """Nothing is served at this path."""

    type = "route_not_found"

    def __init__(self, described: str | None = None, advice: str = "") -> None:
        listed = "" if described is None else f" The paths are listed at {described}."
        super().__init__(f"Nothing is served at this path.{listed} {advice}".rstrip())


class MethodNotAllowed(DaehwaError):  # noqa: N818 - errors state the fact
    """The path is served, but not with this method; `allow` says with which."""

    type = "method_not_allowed"

    def __init__(self, allow: str) -> None:
        super().__init__(f"This path can be asked with {allow} only.")
        self.allow = allow


class UnsupportedMediaType(DaehwaError):  # noqa: N818 - errors state the fact
    """The body is not announced as JSON, or it is compressed (`encoding`)."""

    type = "unsupported_media_type"

    def __init__(self, encoding: str | None = None) -> None:
        super().__init__(
            "Send the body as JSON, with the header 'Content-Type: application/json'."
            if encoding is None
            else f"The body is compressed ('{encoding}'), which is not read here. Send it plain, without the header "
            "'Content-Encoding'."
        )


class BodyTooSlow(DaehwaError):  # noqa: N818 - errors state the fact
    """The body did not arrive in time."""

    type = "body_too_slow"

    def __init__(self) -> None:
        super().__init__("The request's body did not arrive in time. Send it again.")


class TooManyAtOnce(DaehwaError):  # noqa: N818 - errors state the fact
    """There is no room for a large body beside those that are held here now."""

    type = "too_many_at_once"

    def __init__(self) -> None:
        super().__init__(
            "There was no room for so large a request beside others that are under way, of yours or of everybody. Send "
            "it again in a moment."
        )


class HostNotAllowed(DaehwaError):  # noqa: N818 - errors state the fact
    """The Host header is not a name of this server, as when another site's name was pointed here."""

    type = "host_not_allowed"

    def __init__(self) -> None:
        super().__init__(
            "This server does not answer under this name. Open it under its own address, or add the name to the "
            "allowed hosts in the settings."
        )


class CrossSiteRequest(DaehwaError):  # noqa: N818 - errors state the fact
    """A page of another site, an extension or an app asked for a change.

    `advice` says what would let it.
    """

    type = "cross_site_request"

    def __init__(self, advice: str = "") -> None:
        why = "Changes are accepted from this server's own page and from programs, not from other sites."
        super().__init__(f"{why} {advice}".rstrip())


STATUS: dict[type[DaehwaError], int] = {
    InvalidRequest: 400,
    SignInFailed: 400,
    NotSignedIn: 401,
    CredentialsRefused: 401,
    KeyRefused: 401,
    CrossSiteRequest: 403,
    NotAllowed: 403,
    ModelNotOffered: 403,
    PriceUnknown: 403,
    NotFound: 404,
    MethodNotAllowed: 405,
    BodyTooSlow: 408,
    Conflict: 409,
    TooMuch: 413,
    UnsupportedMediaType: 415,
    HostNotAllowed: 421,
    BudgetExceeded: 429,
    RateExceeded: 429,
    ProviderRateLimitError: 429,
    TooManyAttempts: 429,
    DaehwaError: 500,
    Unreadable: 500,
    ProviderError: 502,
    KeyNotSet: 503,
    ProviderUnavailableError: 503,
    ProviderTimeoutError: 504,
    SignInUnavailable: 503,
    ShuttingDown: 503,
    StoreError: 503,
    TooManyAtOnce: 503,
    TimeIsUp: 504,
}


class Error(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is wrong: a stable `type`, a sentence that says what to do, the parameter where there is one."""

    type: str
    message: str
    param: str | None = None


class ErrorAnswer(msgspec.Struct, frozen=True):
    """The body of every answer with a status of 400 or more."""

    error: Error


def status_of(kind: type[DaehwaError]) -> int:
    """Return the HTTP status of an error, that of its nearest kind."""
    return next(STATUS[base] for base in kind.__mro__ if base in STATUS)


def error_headers(error: DaehwaError) -> Headers:
    """Return the headers that belong to an error, in whatever dialect its body is."""
    headers: Headers = []
    if isinstance(error, MethodNotAllowed):
        headers.append((b"allow", error.allow.encode()))
    if isinstance(error, TooMuch | BodyTooSlow):
        # What is left of the body is not worth reading.
        headers.append((b"connection", b"close"))
    if isinstance(error, ShuttingDown | TooManyAtOnce):
        headers.append((b"retry-after", b"%d" % RETRY_SECONDS))
    if isinstance(error, TooManyAttempts):
        headers.append((b"retry-after", b"%d" % error.retry_after))
    return headers


def error_response(error: DaehwaError) -> Response:
    """Return an error as an answer in this server's own dialect."""
    body = ErrorAnswer(Error(error.type, error.told, error.param))
    return json_response(body, status_of(type(error)), error_headers(error))


def _unexpected(request_id: str) -> DaehwaError:
    return DaehwaError(f"Something went wrong here. The log says more under the request id {request_id}.")


class Dialect(msgspec.Struct, frozen=True):
    """How errors are said under a path, and the paths below it."""

    path: str
    error_response: Callable[[DaehwaError], Response]

    def covers(self, path: str) -> bool:
        """Whether a path is this one or below it."""
        return path.startswith(self.path) and (len(path) == len(self.path) or path[len(self.path)] == "/")


class ErrorAnswers:
    """The edge of a request: whatever is raised inside becomes an answer, and a traceback stays in the log.

    `dialects` are those that other programs know; everywhere else errors are said in this server's own. `note_refused`
    is told of what keeps a call from being made; a turn that has begun tells of that itself.
    """

    def __init__(
        self,
        app: ASGIApp,
        dialects: Sequence[Dialect] = (),
        note_refused: Callable[[AskedBy, DaehwaError], None] = lambda _by, _error: None,
    ) -> None:
        self._app = app
        self._dialects = dialects
        self._note_refused = note_refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and answer what is raised."""
        exchange = exchange_of(scope)
        answer: Response
        try:
            await self._app(scope, receive, send)
        except ClientLeftError:
            exchange.left = True
            return
        except DaehwaError as error:
            answer = self._said(scope, error)
            self._count(scope, error)
            if answer.status >= 500:  # noqa: PLR2004 - the server's own faults
                _log.warning("request %s: %s", exchange.id, error.message)
        except Exception:  # noqa: BLE001 - the edge of a request
            _log.exception("request %s failed", exchange.id)
            answer = self._said(scope, _unexpected(exchange.id))
        else:
            return
        if exchange.status:
            # The head is out: an end without `done` or `error` tells a follower to come back for the rest.
            await send({"type": "http.response.body", "body": b""})
        else:
            await answer(scope, receive, send)

    def _count(self, scope: Scope, error: DaehwaError) -> None:
        path = scope["path"]
        if any(dialect.covers(path) for dialect in self._dialects):
            self._note_refused("program", error)
        elif path.startswith(_TURNS):
            self._note_refused("page", error)

    def _said(self, scope: Scope, error: DaehwaError) -> Response:
        for dialect in self._dialects:
            if dialect.covers(scope["path"]):
                return dialect.error_response(error)
        return error_response(error)
