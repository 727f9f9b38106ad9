"""The home on one machine: conversations in SQLite, any providers, the embedded model among them."""

import asyncio
import gc
import logging
import socket
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import msgspec

from daehwa import __version__
from daehwa.accounts.erasure import Erasure
from daehwa.accounts.people import User
from daehwa.accounts.ports import AccountStore, KeyStore, LedgerStore
from daehwa.conversation.archive_ports import KeptConversations
from daehwa.conversation.errors import DaehwaError, ModelNotFound
from daehwa.conversation.ports import Provider
from daehwa.conversation.room import MB, Room
from daehwa.conversation.running import RunningTurns
from daehwa.data_folder import DataFolder
from daehwa.providers.catalogue import Catalogue
from daehwa.providers.openai_wire import OpenAIWireProvider
from daehwa.providers.pacing import Beat
from daehwa.server.options import PAGE_FOLDER, ServerOptions
from daehwa.services.housekeeping import keep_house
from daehwa.services.metering import build_meter
from daehwa.services.opened_store import open_store
from daehwa.services.upstreams import build_routes, build_upstream
from daehwa.settings import (
    ConfiguredProvider,
    ConfiguredSignIn,
    LoadedSettings,
    Settings,
    TelemetrySettings,
    load_telemetry,
)
from daehwa.stores.memory_rates import MemoryRates
from daehwa.stores.sqlite import SqliteStore
from daehwa.stores.sqlite_answers import SqliteAnswers
from daehwa.stores.sqlite_keys import SqliteKeys
from daehwa.stores.sqlite_ledger import SqliteLedger
from daehwa.stores.sqlite_people import sqlite_people

if TYPE_CHECKING:
    from daehwa.http_client.client import HttpClient
    from daehwa.providers.embedded import EmbeddedProvider
    from daehwa.server.app import App
    from daehwa.server.books import Books
    from daehwa.server.entrances import Entrances
    from daehwa.server.programs import Programs
    from daehwa.sign_in.flow import SignIn
    from daehwa.sign_in.local_accounts import LocalAccounts
    from daehwa.telemetry.otel import OpenTelemetry

__all__ = [
    "OWNER",
    "PAGE_FOLDER",
    "BuiltProvider",
    "Catalogue",
    "OpenAIWireProvider",
    "Services",
    "Unsaved",
    "ask_identity_provider",
    "build_catalogue",
    "build_providers",
    "keep_house",
    "serve",
    "unserved_default",
    "unserved_targets",
]

BuiltProvider: TypeAlias = "OpenAIWireProvider | EmbeddedProvider"

OWNER = "owner"
"""Whose conversations these are while there are no accounts, and always those of `daehwa ask`: the server's user has
the same id, and so has the very first admin. Once they are deleted nobody who signs in has it, so what is written then
is in nobody's list: the doctor says so.
"""
SERVER_RUNNER = "server"
MOMENT_SECONDS = 0.05
"""So long after it listens the server begins with what nobody waits for."""

_log = logging.getLogger("daehwa")


class Unsaved(msgspec.Struct, frozen=True):
    """How many replies could not be stored as they ended, and how many calls could not be counted; and whether what
    was written last is lost, because its file was taken away.
    """

    replies: int
    calls: int
    is_misplaced: bool = False


class Services:
    """Everything one process needs, wired."""

    def __init__(self, store: SqliteStore, loaded: LoadedSettings, runner: str) -> None:
        self.store: KeptConversations = store
        self._is_misplaced = store.is_misplaced
        self.people = sqlite_people(store, first_admin=OWNER)
        self.accounts: AccountStore = self.people.accounts
        self.keys: KeyStore = SqliteKeys(store)
        self.ledger: LedgerStore = SqliteLedger(store)
        self.answers = SqliteAnswers(store)
        self.meter = build_meter(loaded, self.ledger, self.accounts)
        self.catalogue = build_catalogue(loaded, build_providers(loaded))
        room = Room(loaded.values.large_requests * MB)
        self.running = RunningTurns(store, self.catalogue, runner=runner, meter=self.meter, room=room)
        self.erasure = Erasure(self.people, (self.running, store, self.keys, self.answers, self.ledger))
        self._http: HttpClient | None = None
        self._local: LocalAccounts | None = None
        self._telemetry: OpenTelemetry | None = None
        self._has_sign_in = False

    @classmethod
    async def open(cls, loaded: LoadedSettings, folder: DataFolder, *, runner: str) -> Self:
        """Open the store and build all that is needed around it; nothing is asked of any provider yet."""
        store = await open_store(folder)
        return cls(store, loaded, runner)

    def sign_in(self, configured: ConfiguredSignIn | None, public_url: str) -> "SignIn | None":
        """Return signing in, where it is configured. Raise `SignInMisconfigured`."""
        if configured is None:
            return None
        from daehwa.services.sign_in import build_sign_in, guarded_client  # noqa: PLC0415 - with sign-in alone, and slow

        self._http = guarded_client(configured.issuer)
        secret = configured.secret

        async def read_secret() -> str:
            return "" if secret is None else secret.reveal()

        reader = None if secret is None else read_secret
        return build_sign_in(configured, public_url, self.people, self._http, reader)

    def entrances(self, loaded: LoadedSettings, address: str) -> "Entrances":
        """Return by which doors people come in; the server listens at this address. Raise `SignInMisconfigured`."""
        self._has_sign_in = loaded.values.accounts or loaded.sign_in is not None
        from daehwa.server.entrances import Entrances  # noqa: PLC0415 - `daehwa ask` needs no server

        if not loaded.values.accounts:
            sign_in = self.sign_in(loaded.sign_in, loaded.values.public_url or address)
            return Entrances(sign_in, None, self.people, self.erasure)
        from daehwa.services.entrances import accounts_address, build_local_accounts  # noqa: PLC0415 - with accounts alone

        public_url = accounts_address(loaded, address)
        sign_in = self.sign_in(loaded.sign_in, public_url)
        self._local = build_local_accounts(loaded, self.people, public_url, sign_in)
        return Entrances(sign_in, self._local, self.people, self.erasure)

    def programs(self, settings: Settings, options: ServerOptions, entrances: "Entrances") -> "Programs":
        """Return what other programs speak with here."""
        from daehwa.services.gateway_parts import GatewayParts  # noqa: PLC0415 - `daehwa ask` needs no server
        from daehwa.services.programs import build_programs  # noqa: PLC0415 - as above

        rates = MemoryRates()  # one process serves this home
        room = self.running.room
        parts = GatewayParts(self.catalogue, self.meter, self.accounts, self.keys, rates, self.answers, room)
        return build_programs(parts, settings, options, entrances)

    def books(self, asked: TelemetrySettings, say: Callable[[str], None]) -> "Books":
        """Return keys, money and what is told to whoever watches over this server; from here on calls are told."""
        from daehwa.services.books import build_books, build_telemetry, telemetry_fault  # noqa: PLC0415 - as above

        if (fault := telemetry_fault(asked)) is not None:
            say(f"  telemetry      {fault}")
        self._telemetry = build_telemetry(self.meter, asked, version=__version__)
        return build_books(self, version=__version__)

    async def retention_days(self) -> int | None:
        """Return after how many days without a new turn a conversation goes, None: never. It is decided where people
        sign in, and where nobody does, nobody could see or change it any more.
        """
        return (await self.people.installation.get_installation()).retention_days if self._has_sign_in else None

    def unsaved(self) -> Unsaved:
        """Return what was not saved; all that was, once this is closed."""
        return Unsaved(self.running.unsaved, self.meter.uncounted, self._is_misplaced())

    async def aclose(self) -> None:
        """Interrupt what runs, then close everything, the store last."""
        await self.running.aclose()
        if self._local is not None:
            await self._local.aclose()
        await self.meter.aclose()
        await self.catalogue.aclose()
        await self.store.aclose()
        if self._http is not None:
            await self._http.aclose()
        if self._telemetry is not None:
            await self._telemetry.aclose()


def build_providers(loaded: LoadedSettings) -> list[BuiltProvider]:
    """Return the configured providers, neither connected nor loaded."""
    beat = Beat()
    return [_build_provider(configured, beat, loaded.values) for configured in loaded.providers]


def build_catalogue(loaded: LoadedSettings, providers: Sequence[Provider]) -> Catalogue:
    """Return the catalogue of these providers; it closes them."""
    return Catalogue(providers, default=loaded.values.default_model, routes=build_routes(loaded))


def _build_provider(configured: ConfiguredProvider, beat: Beat, values: Settings) -> BuiltProvider:
    settings = configured.settings
    if settings.kind == "openai":
        return build_upstream(configured, beat, values)
    from daehwa.providers.embedded import EmbeddedProvider  # noqa: PLC0415 - where it is configured

    return EmbeddedProvider(
        name=settings.name,
        gguf=settings.gguf,
        context_window=settings.context_window,
        titles=settings.titles and values.titles and settings.gguf is not None,
        beat=beat,
        data_folder=values.data_dir,
    )


async def serve(
    loaded: LoadedSettings, folder: DataFolder, *, say: Callable[[str], None], listening: Callable[[str], None]
) -> Unsaved:
    """Serve until SIGINT or SIGTERM, and return what could not be saved; the data folder is held. `listening` is given
    the page's address.
    """
    from daehwa.server.access_log import configure_logging  # noqa: PLC0415 - `daehwa ask` needs no server
    from daehwa.server.app import create_app  # noqa: PLC0415 - as above
    from daehwa.server.run import address_of, bind  # noqa: PLC0415 - as above
    from daehwa.server.run import serve as serve_app  # noqa: PLC0415 - as above

    settings, options = loaded.values, _options(loaded.values)
    configure_logging(log_json=settings.log_json)
    listener = bind(settings.host, settings.port)
    services = await _opened_behind(listener, loaded, folder)
    background: set[asyncio.Task[None]] = set()
    try:
        entrances = services.entrances(loaded, address_of(listener))
        await interrupt_leftovers(services.running, say)
        await services.answers.release_leftovers()
        books = services.books(load_telemetry(), say)
        app = create_app(
            services,
            options=options,
            books=books,
            entrances=entrances,
            programs=services.programs(settings, options, entrances),
        )

        def started() -> None:
            folder.note_address(address_of(listener), books.word)
            listening(address_of(listener) if entrances.local is None else entrances.local.public_url)
            background.add(asyncio.create_task(work()))

        async def work() -> None:
            # What has waited for the start is answered first.
            await asyncio.sleep(MOMENT_SECONDS)
            for each in _works(services, loaded, app, entrances.local, say):
                task = asyncio.create_task(each)
                task.add_done_callback(_report_fault)
                background.add(task)

        await serve_app(app, listener, on_started=started, before_shutdown=app.aclose)
    finally:
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        await services.aclose()
    return services.unsaved()


async def _opened_behind(listener: socket.socket, loaded: LoadedSettings, folder: DataFolder) -> Services:
    try:
        return await Services.open(loaded, folder, runner=SERVER_RUNNER)
    except BaseException:
        listener.close()
        raise


def _options(settings: Settings) -> ServerOptions:
    return ServerOptions(
        version=__version__,
        user=User(id=OWNER, role="admin"),
        allowed_hosts=settings.allowed_hosts,
        public_url=settings.public_url,
        cors_origins=settings.cors_origins,
        trusted_proxies=settings.trusted_proxies,
        room=Room(settings.large_requests * MB),
    )


def _works(
    services: Services, loaded: LoadedSettings, app: "App", local: "LocalAccounts | None", say: Callable[[str], None]
) -> Iterator[Coroutine[Any, Any, None]]:
    """Yield what is done once the page can be had."""
    yield prepare_models(services.catalogue, loaded.values.default_model, say)
    yield _make_ready(app)
    yield keep_house(services)
    if local is not None:
        yield _say_first_admin(local, say)
    if loaded.sign_in is not None:
        yield _say_sign_in_fault(loaded.sign_in, say)
    elif local is None:
        yield _say_unasked(services, say)


async def _make_ready(app: "App") -> None:
    await app.make_ready()
    gc.collect()  # in 1 to 2 ms, since it is only of what has come since the start
    gc.freeze()  # it stays, as what the start made


async def _say_first_admin(local: "LocalAccounts", say: Callable[[str], None]) -> None:
    """Tell whoever reads the terminal, and nobody else, how to become the first admin."""
    made = await local.first_admin_link()
    if made is not None:
        say("  first admin    There is none yet. Open this link to make the first account; it works once, for a day,")
        say(f"                 and the next start makes it void:\n\n  {made.url}\n")


async def _say_unasked(services: Services, say: Callable[[str], None]) -> None:
    """Tell that people have accounts here whom nobody asks to sign in: a start like the last one, but for a flag."""
    if users := await services.people.accounts.list_users():
        number = "1 person has" if len(users) == 1 else f"{len(users)} people have"
        say(f"  ACCOUNTS OFF   {number} an account here, and now whoever opens the page is its owner.")
        say("                 Start with --accounts (or accounts = true in daehwa.toml) to have people sign in.")


async def _say_sign_in_fault(configured: ConfiguredSignIn, say: Callable[[str], None]) -> None:
    if (fault := await ask_identity_provider(configured)) is not None:
        say(f"  sign-in        {fault}")


async def ask_identity_provider(configured: ConfiguredSignIn) -> str | None:
    """Ask the identity provider whether people could sign in now; return what is wrong, None where nothing is."""
    from daehwa.services.sign_in import guarded_client, sign_in_fault  # noqa: PLC0415 - as above

    http = guarded_client(configured.issuer)
    try:
        return await sign_in_fault(configured, http)
    finally:
        await http.aclose()


def _report_fault(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("background work failed", exc_info=error)


async def interrupt_leftovers(running: RunningTurns, say: Callable[[str], None]) -> None:
    """Mark the replies that an earlier server left growing; no other server runs while the data folder is held."""
    found = await running.interrupt_leftovers()
    if found:
        answers = "answer was" if found == 1 else "answers were"
        say(f"  {found} {answers} cut off when the last server ended: the text is kept, and the page can continue it.")


async def prepare_models(catalogue: Catalogue, wanted: str | None, say: Callable[[str], None]) -> None:
    """Once the page can be had: warm up, and say which model answers."""
    try:
        await catalogue.warm_up()
    except DaehwaError as error:
        say(error.message)
    default = await catalogue.default_model()
    for problem in catalogue.problems().values():
        say(f"  models         {'none yet: ' if default is None else ''}{problem.message}")
    if (fault := await unserved_default(catalogue, wanted)) is not None:
        say(f"  models         {fault}")
    for fault in await unserved_targets(catalogue):
        say(f"  models         {fault}")
    if default is not None:
        say(f"  models         New conversations are answered by {default}.")
    elif not catalogue.problems():
        say("  models         none yet: no provider lists any. `daehwa doctor` says more.")


async def unserved_default(catalogue: Catalogue, wanted: str | None) -> str | None:
    """Return a sentence where the configured model is served by nobody and another one answers."""
    default = await catalogue.default_model()
    if wanted is None or default is None:
        return None
    try:
        await catalogue.resolve(wanted)
    except ModelNotFound:
        return f"default_model {wanted} is served by no provider; {default} answers instead."
    return None


async def unserved_targets(catalogue: Catalogue) -> tuple[str, ...]:
    """Return a sentence for each target of a route that nobody serves."""
    return tuple(
        f"The route {route} leads to {model}, which is served by no provider."
        for route, model in await catalogue.unserved_targets()
    )
