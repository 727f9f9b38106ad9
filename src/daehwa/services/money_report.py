"""What the doctor says of keys, budgets and circuits: read from the store as it is, and from a server that runs."""

import asyncio
import re
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path

import msgspec

from daehwa.accounts.key_making import is_live
from daehwa.accounts.ports import LedgerStore
from daehwa.accounts.price_table import read_table
from daehwa.accounts.spending import period_at
from daehwa.conversation.errors import DaehwaError
from daehwa.conversation.ids import now_ms
from daehwa.data_folder import DataFolder
from daehwa.services.books import telemetry_fault
from daehwa.settings import LoadedSettings, TelemetrySettings
from daehwa.settings.values import ConfiguredBudget
from daehwa.stores.sqlite import SqliteStore
from daehwa.stores.sqlite_accounts import SqliteAccounts
from daehwa.stores.sqlite_connection import open_as_it_is
from daehwa.stores.sqlite_keys import SqliteKeys
from daehwa.stores.sqlite_ledger import SqliteLedger
from daehwa.stores.sqlite_schema import MIGRATIONS

ASK_SECONDS = 2.0
_OF_EACH = frozenset({"user", "key"})
_CIRCUIT = re.compile(rb'^daehwa_upstream_circuit\{provider="([^"]*)",state="(\w+)"\} 1\.0$', re.MULTILINE)


class BudgetReport(msgspec.Struct, frozen=True, kw_only=True):
    """A budget of the settings, in micro-dollars. `spent` None: it is each one's own, or nobody can read the store."""

    scope: str
    period: str
    limit: int
    spent: int | None

    @property
    def is_of_each(self) -> bool:
        """Whether everybody, or every key, has one like it."""
        return self.scope in _OF_EACH


class MoneyReport(msgspec.Struct, frozen=True, kw_only=True):
    """Keys, budgets, routes, and how it goes. `circuits` by provider; None where no server runs, or it does not tell
    them: `circuits_fault` says why.
    """

    live_keys: int
    budgets: tuple[BudgetReport, ...]
    routes: dict[str, tuple[str, ...]]
    circuits: dict[str, str] | None
    circuits_fault: str | None
    sends: tuple[str, ...]
    telemetry_fault: str | None
    prices: str


async def money_report(loaded: LoadedSettings, folder: DataFolder, telemetry: TelemetrySettings) -> MoneyReport:
    """Look at all of it; nothing is changed by that."""
    live, budgets = await _of_store(loaded, folder.database)
    circuits, fault = None, None
    if folder.is_held():
        address = folder.address() or f"http://127.0.0.1:{loaded.values.port}"
        circuits, fault = await asyncio.to_thread(_circuits, address, folder.word())
    return MoneyReport(
        live_keys=live,
        budgets=budgets,
        routes={route.name: tuple(model for model, _ in route.targets) for route in loaded.routes},
        circuits=circuits,
        circuits_fault=fault,
        sends=tuple(name for name in ("traces", "metrics") if getattr(telemetry, name)),
        telemetry_fault=telemetry_fault(telemetry),
        prices=f"genai-prices {read_table().version}",
    )


async def _of_store(loaded: LoadedSettings, database: Path) -> tuple[int, tuple[BudgetReport, ...]]:
    budgets = loaded.money.budgets
    version = file_version(database)
    if not version:
        return 0, tuple(_report(budget, None if budget.scope in _OF_EACH else 0) for budget in budgets)
    unread = tuple(_report(budget, None) for budget in budgets)
    if version != len(MIGRATIONS):
        return 0, unread  # it would be changed by being opened
    try:
        store = await SqliteStore.open(database)
    except DaehwaError:
        return 0, unread  # what is wrong with the file is said elsewhere
    try:
        now = now_ms()
        live = sum(is_live(key, now) for key in await SqliteKeys(store).list_keys())
        people = {user.email.lower(): user.id for user in await SqliteAccounts(store).list_users() if user.email}
        ledger = SqliteLedger(store)
        return live, tuple([_report(budget, await _spent(budget, ledger, people, now)) for budget in budgets])
    finally:
        await store.aclose()


def _report(budget: ConfiguredBudget, spent: int | None) -> BudgetReport:
    return BudgetReport(scope=budget.scope, period=budget.period, limit=budget.limit, spent=spent)


async def _spent(budget: ConfiguredBudget, ledger: LedgerStore, people: dict[str, str], now: int) -> int | None:
    kind, _, name = budget.scope.partition(":")
    if budget.scope in _OF_EACH:
        return None
    scope = budget.scope
    if kind == "user" and "@" in name:
        if (person := people.get(name.lower())) is None:
            return 0  # who has never signed in has spent nothing
        scope = f"user:{person}"
    return await ledger.spent(scope, period_at(budget.period, now))


def file_version(database: Path) -> int:
    """Return the version of the file's tables; 0: there are none yet, -1: they cannot be read."""
    if not database.is_file():
        return 0
    try:
        with closing(open_as_it_is(database)) as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.Error:
        return -1
    return int(version)


def _circuits(address: str, word: str | None) -> tuple[dict[str, str] | None, str | None]:
    """Ask the server that runs, which tells its figures to who knows its word; return them, or why there are none."""
    request = urllib.request.Request(f"{address}/metrics")  # noqa: S310 - the server's own address
    if word is not None:
        request.add_unredirected_header("Authorization", f"Bearer {word}")
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(request, timeout=ASK_SECONDS) as answer:
            text: bytes = answer.read(4_000_000)
    except urllib.error.HTTPError as error:
        error.close()
        wants_key = error.code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
        return None, "/metrics wants an admin's API key" if wants_key else f"/metrics answers HTTP {error.code}"
    except (OSError, ValueError, HTTPException):
        return None, f"the server that runs does not answer at {address}"
    if b"\ndaehwa_info{" not in text:
        return None, f"what answers at {address} is another program"
    return dict(_found(text)), None


def _found(text: bytes) -> Iterator[tuple[str, str]]:
    for provider, state in _CIRCUIT.findall(text):
        yield provider.decode(), state.decode()
