"""Keys, money and what Prometheus is told, wired for the home on one machine."""

from typing import Protocol

from daehwa.accounts.metering import LedgerMeter
from daehwa.accounts.ports import AccountStore, KeyStore, LedgerStore
from daehwa.conversation.running import RunningTurns
from daehwa.providers.catalogue import Catalogue
from daehwa.server.books import Books
from daehwa.telemetry.counts import CallCounts
from daehwa.telemetry.exposition import Exposition


class _Services(Protocol):
    keys: KeyStore
    ledger: LedgerStore
    accounts: AccountStore
    meter: LedgerMeter
    catalogue: Catalogue
    running: RunningTurns


def build_books(services: _Services, *, version: str) -> Books:
    """Return the books. From here on, calls are counted for Prometheus too."""
    counts, running = CallCounts(), services.running
    services.meter.observe(counts)
    exposition = Exposition(counts, version=version, turns=lambda: len(running), upstreams=services.catalogue.upstreams)
    return Books(
        keys=services.keys,
        ledger=services.ledger,
        accounts=services.accounts,
        meter=services.meter,
        exposition=exposition,
    )
