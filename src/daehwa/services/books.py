"""Keys, money, and what whoever watches over this server is told, wired for the home on one machine."""

import importlib.util
import secrets
from typing import Protocol

from daehwa.accounts.metering import LedgerMeter
from daehwa.accounts.people_ports import PeopleStores
from daehwa.accounts.ports import AccountStore, KeyStore, LedgerStore
from daehwa.conversation.running import RunningTurns
from daehwa.providers.catalogue import Catalogue
from daehwa.server.books import Books
from daehwa.settings import TelemetrySettings, line_with_extra
from daehwa.telemetry.counts import CallCounts
from daehwa.telemetry.exposition import Exposition
from daehwa.telemetry.otel import OpenTelemetry


class _Services(Protocol):
    keys: KeyStore
    ledger: LedgerStore
    accounts: AccountStore
    people: PeopleStores
    meter: LedgerMeter
    catalogue: Catalogue
    running: RunningTurns


def build_books(services: _Services, *, version: str) -> Books:
    """Return the books. From here on, calls are counted for Prometheus too."""
    counts, running = CallCounts(), services.running
    services.meter.observe(counts)
    services.meter.observe_refusals(counts.refused)
    exposition = Exposition(counts, version=version, turns=lambda: len(running), upstreams=services.catalogue.upstreams)
    return Books(
        keys=services.keys,
        ledger=services.ledger,
        accounts=services.accounts,
        groups=services.people.groups,
        meter=services.meter,
        exposition=exposition,
        word=secrets.token_urlsafe(32),
    )


def telemetry_fault(asked: TelemetrySettings) -> str | None:
    """Return a paragraph where OpenTelemetry is asked for and its packages are missing."""
    if not asked.is_on or importlib.util.find_spec("opentelemetry") is not None:
        return None
    return (
        "The environment asks for OpenTelemetry (OTEL_…), whose packages are not installed here, so nothing is sent. "
        f"Type: {line_with_extra('otel')}. Or set OTEL_SDK_DISABLED=true."
    )


def build_telemetry(meter: LedgerMeter, asked: TelemetrySettings, *, version: str) -> OpenTelemetry | None:
    """Send what is asked for from here on; return what must be closed, None where nothing is sent."""
    if not asked.is_on or telemetry_fault(asked) is not None:
        return None
    telemetry = OpenTelemetry(version=version, traces=asked.traces, metrics=asked.metrics)
    meter.observe(telemetry)
    meter.observe_refusals(telemetry.refused)
    return telemetry
