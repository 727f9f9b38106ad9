"""What the doctor says of keys, budgets and circuits: read from the store as it is, and from a server that runs."""

import asyncio
import re
import sqlite3
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec

from daehwa.accounts.key_making import is_live
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
from daehwa.stores.sqlite_keys import SqliteKeys
from daehwa.stores.sqlite_ledger import SqliteLedger
from daehwa.stores.sqlite_migrations import MIGRATIONS

ASK_SECONDS = 2.0
_CIRCUIT = re.compile(rb'^daehwa_upstream_circuit\{provider="([^"]*)",state="(\w+)"\} 1\.0$', re.MULTILINE)


class BudgetReport(msgspec.Struct, frozen=True, kw_only=True):
    """A budget of the settings, in micro-dollars. `spent` None: it is each one's own, or nobody there has it yet."""

    scope: str
    period: str
    limit: int
    spent: int | None


class MoneyReport(msgspec.Struct, frozen=True, kw_only=True):
    """Keys, budgets, routes, and how it goes. `circuits` by provider; None where no running server could be asked."""

    live_keys: int
    budgets: tuple[BudgetReport, ...]
    routes: dict[str, tuple[str, ...]]
    circuits: dict[str, str] | None
    sends: tuple[str, ...]
    telemetry_fault: str | None
    prices: str


async def money_report(loaded: LoadedSettings, folder: DataFolder, telemetry: TelemetrySettings) -> MoneyReport:
    """Look at all of it; nothing is changed by that."""
    live, budgets = await _of_store(loaded, folder.database)
    return MoneyReport(
        live_keys=live,
        budgets=budgets,
        routes={route.name: tuple(model for model, _ in route.targets) for route in loaded.routes},
        circuits=await asyncio.to_thread(_circuits, loaded.values.port) if folder.is_held() else None,
        sends=tuple(name for name in ("traces", "metrics") if getattr(telemetry, name)),
        telemetry_fault=telemetry_fault(telemetry),
        prices=f"genai-prices {read_table().version}",
    )


async def _of_store(loaded: LoadedSettings, database: Path) -> tuple[int, tuple[BudgetReport, ...]]:
    budgets = loaded.money.budgets
    unread = tuple(BudgetReport(scope=b.scope, period=b.period, limit=b.limit, spent=None) for b in budgets)
    if not _is_current(database):
        return 0, unread
    try:
        store = await SqliteStore.open(database)
    except DaehwaError:
        return 0, unread  # what is wrong with the file is said elsewhere
    try:
        now = now_ms()
        live = sum(is_live(key, now) for key in await SqliteKeys(store).list_keys())
        people = {user.email.lower(): user.id for user in await SqliteAccounts(store).list_users() if user.email}
        ledger = SqliteLedger(store)
        reports = []
        for budget in budgets:
            scope = _scope_there(budget, people)
            spent = None if scope is None else await ledger.spent(scope, period_at(budget.period, now))
            reports.append(BudgetReport(scope=budget.scope, period=budget.period, limit=budget.limit, spent=spent))
        return live, tuple(reports)
    finally:
        await store.aclose()


def _scope_there(budget: ConfiguredBudget, people: dict[str, str]) -> str | None:
    """Return what the ledger counts a budget under, None where that is more than one thing, or none yet."""
    kind, _, name = budget.scope.partition(":")
    if kind == "user" and "@" in name:
        person = people.get(name.lower())
        return None if person is None else f"user:{person}"
    return None if budget.scope in {"user", "key"} else budget.scope


def _is_current(database: Path) -> bool:
    """Whether the file is there and is this version's: another one would be changed by being opened."""
    if not database.is_file():
        return False
    try:
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.Error:
        return False
    return bool(version == len(MIGRATIONS))


def _circuits(port: int) -> dict[str, str] | None:
    """Ask the server at the configured port, which opens its figures to this machine where nobody signs in."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(f"http://127.0.0.1:{port}/metrics", timeout=ASK_SECONDS) as answer:
            text: bytes = answer.read(4_000_000)
    except (OSError, ValueError):
        return None
    if b"\ndaehwa_info{" not in text:
        return None
    return dict(_found(text))


def _found(text: bytes) -> Iterator[tuple[str, str]]:
    for provider, state in _CIRCUIT.findall(text):
        yield provider.decode(), state.decode()
