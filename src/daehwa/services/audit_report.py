"""Whether the audit log of this machine holds, for `daehwa doctor`; read only, while a server may be running."""

import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec

from daehwa.accounts.audit import ChainWalk
from daehwa.stores.sqlite_audit import all_events
from daehwa.stores.sqlite_connection import open_as_it_is


class AuditReport(msgspec.Struct, frozen=True, kw_only=True):
    """How many events there are, and what is wrong with them."""

    events: int
    fault: str | None


def audit_report(path: Path) -> AuditReport | None:
    """Walk along the audit log in a file; None where there is no log, or the file cannot be read: others say so."""
    if not path.is_file():
        return None
    walk = ChainWalk()
    try:
        with closing(open_as_it_is(path)) as connection:
            for event in all_events(connection):
                walk.see(event)
    except sqlite3.Error:  # no such table as yet, or no database
        return None
    except msgspec.DecodeError:
        return AuditReport(events=walk.result.events, fault=_sentence(walk.result.events + 1))
    broken_at = walk.result.broken_at
    return AuditReport(events=walk.result.events, fault=None if broken_at is None else _sentence(broken_at))


def _sentence(number: int) -> str:
    return (
        f"The audit log was changed by hand: its chain breaks at event {number}. Compare it with an earlier export, or "
        "with a copy of the database."
    )
