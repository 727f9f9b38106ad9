"""The server: its middleware and its wings of routes in one view. Stores, providers and turns come in from outside."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING

from daehwa.server.access_log import AccessLog, Traffic
from daehwa.server.api.health import Health, get_health
from daehwa.server.asgi import ASGIApp, Receive, Scope, Send
from daehwa.server.entrances import NO_ENTRANCES, Entrances
from daehwa.server.errors import ErrorAnswers
from daehwa.server.identity import Identity
from daehwa.server.options import ServerOptions
from daehwa.server.page import Page
from daehwa.server.programs import Programs
from daehwa.server.routing import Operation, Router, Wing
from daehwa.server.safety import SafetyChecks, SafetyHeaders
from daehwa.server.sharing import SharedWith
from daehwa.server.wiring import Core, Wiring

if TYPE_CHECKING:
    from daehwa.server.books import Books

__all__ = ["App", "Core", "create_app"]

_ACCOUNTS = (
    *("/api/account", "/api/audit", "/api/groups", "/api/installation", "/api/invitations", "/api/people"),
    *("/api/providers", "/auth/code", "/auth/link", "/auth/passkey", "/auth/password", "/auth/reset"),
)


class App:
    """The ASGI application; `operations` is its table."""

    def __init__(self, wiring: Wiring, router: Router, programs: Programs | None = None) -> None:
        self._router = router
        self._running = wiring.core.running
        self._programs = programs
        checks = SafetyChecks(router, wiring.options, wiring.identity, wiring.identity.public_url)
        # From the outside in: the log sees every answer, the headers are on every answer, errors of all that follows
        # become answers.
        dialects = () if programs is None else programs.dialects
        app: ASGIApp = ErrorAnswers(checks, dialects, wiring.books.meter.note_refused)
        app = SafetyHeaders(app)
        if checks.cors_origins:
            app = SharedWith(app, checks.cors_origins)
        self._app = AccessLog(app, wiring.traffic)

    @property
    def operations(self) -> tuple[Operation, ...]:
        """Every row."""
        return self._router.operations

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        await self._app(scope, receive, send)

    async def make_ready(self) -> None:
        """Make the rows that nobody has asked for yet, a wing at a time, so that others are answered in between."""
        for _ in self._router.opened():
            await asyncio.sleep(0)

    async def aclose(self) -> None:
        """End the calls of programs and the turns, so that whoever waits for one is told; to be done before the end."""
        if self._programs is not None:
            self._programs.end_calls()
        await self._running.aclose()


def create_app(
    core: Core,
    *,
    options: ServerOptions,
    books: "Books",
    entrances: Entrances = NO_ENTRANCES,
    keep_house: Callable[[float], Awaitable[None]] | None = None,
    programs: Programs | None = None,
) -> App:
    """Return the application. Without an entrance, whoever reaches it is its owner. `keep_house` is for a home
    that is told by an event when to do that. `programs`: the dialects that other programs speak, where they may.
    """
    wiring = Wiring(core, options, books, entrances, Identity(entrances, options), Traffic(), programs)
    wings = [
        Wing(_health, "/healthz"),
        Wing(lambda: _home(wiring), "/api/me", "/api/models"),
        Wing(lambda: _auth(wiring), "/auth/sign-in", "/auth/callback", "/auth/sign-out", "/auth/doors"),
        Wing(lambda: _accounts(wiring), *_ACCOUNTS),
        Wing(lambda: _conversations(wiring), "/api/conversations", "/api/turns", "/api/preferences"),
        Wing(lambda: _books(wiring), "/api/keys", "/api/usage", "/api/budgets", "/metrics"),
    ]
    own = tuple(wings)
    wings.append(Wing(lambda: _described(own, options), "/api/openapi.json"))
    if keep_house is not None:
        wings.append(Wing(lambda: _hourly(keep_house), "/events"))
    if programs is not None:
        wings.append(programs.wing)
    router = Router(wings, identify=wiring.identity.user_of, otherwise=Page(options.page).get_page)
    return App(wiring, router, programs)


def _health() -> Iterator[Operation]:
    yield Operation("GET", "/healthz", get_health, answers=(Health,), is_open=True)


def _home(wiring: Wiring) -> Iterator[Operation]:
    from daehwa.server.page_operations import home_operations  # noqa: PLC0415 - see `Wing`, as all that follow

    return home_operations(wiring)


def _auth(wiring: Wiring) -> Iterator[Operation]:
    from daehwa.server.auth_operations import auth_operations  # noqa: PLC0415 - each start pays for imports

    return auth_operations(wiring)


def _accounts(wiring: Wiring) -> Iterator[Operation]:
    """Return the rows of accounts and administration, where people sign in."""
    entrances = wiring.entrances
    people, erasure = entrances.people, entrances.erasure
    if not entrances.is_any or people is None or erasure is None:
        return iter(())
    from daehwa.server.account_operations import account_operations  # noqa: PLC0415 - each start pays for imports
    from daehwa.server.administration import Administration  # noqa: PLC0415 - each start pays for imports
    from daehwa.server.under_way import UnderWay  # noqa: PLC0415 - each start pays for imports

    core = wiring.core
    under_way = UnderWay(core.running, wiring.programs)
    erasure, local = erasure.telling_first(under_way), entrances.local
    office = Administration(people, erasure, wiring.books, local, wiring.identity, wiring.options, under_way)
    return account_operations(office, core.store, core.running, core.catalogue)


def _conversations(wiring: Wiring) -> Iterator[Operation]:
    from daehwa.server.page_operations import conversation_operations  # noqa: PLC0415 - each start pays for imports

    return conversation_operations(wiring)


def _books(wiring: Wiring) -> Iterator[Operation]:
    from daehwa.server.book_operations import book_operations  # noqa: PLC0415 - each start pays for imports

    return book_operations(wiring)


def _hourly(keep_house: Callable[[float], Awaitable[None]]) -> Iterator[Operation]:
    from daehwa.server.hourly import PATH, HourlyApi  # noqa: PLC0415 - each start pays for imports

    yield Operation("POST", PATH, HourlyApi(keep_house).take_event, status=204, is_open=True)


def _described(own: tuple[Wing, ...], options: ServerOptions) -> Iterator[Operation]:
    from daehwa.server.openapi import OpenApi  # noqa: PLC0415 - each start pays for imports

    openapi = OpenApi(options.version)
    row = Operation("GET", "/api/openapi.json", openapi.get_openapi, answers=(dict,))
    openapi.wings = (*own, Wing(lambda: (row,), row.path))
    yield row
