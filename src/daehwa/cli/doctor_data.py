"""What the doctor says of the data folder: whether it can be used, and whether what is in it can be read."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec

from daehwa.data_folder import DATABASE, DataFolder
from daehwa.services.audit_report import AuditReport, audit_report
from daehwa.services.database import database_fault
from daehwa.services.messages_report import MessagesReport, messages_report

MEBIBYTE = 1024 * 1024
ROOM_BYTES = 16 * MEBIBYTE
"""Where less is free, a log of the database that grows for a moment may already be too much."""


class LinkedTo(msgspec.Struct, frozen=True, kw_only=True):
    """Where the database lies that is a link in the data folder; its log and its copies lie there too. `free_bytes` is
    the room on that disk, `is_another_disk` whether that is another one than the data folder's.
    """

    folder: str
    free_bytes: int
    is_another_disk: bool


class DataReport(msgspec.Struct, frozen=True, kw_only=True):
    """Where conversations lie. `free_bytes` is the room on the disk of the folder."""

    folder: str
    exists: bool
    is_writable: bool
    folder_fault: str | None
    database_bytes: int | None
    database_fault: str | None
    audit: AuditReport | None
    messages: MessagesReport | None
    backups: tuple[str, ...]
    free_bytes: int | None
    linked_to: LinkedTo | None
    held_by_process: int | None


def data_report(folder: DataFolder) -> DataReport:
    """Look at a data folder and all that is in it, changing nothing."""
    exists = folder.path.is_dir()
    nearest = next(path for path in (folder.path, *folder.path.parents) if path.exists())
    database = folder.database
    return DataReport(
        folder=str(folder.path),
        exists=exists,
        is_writable=os.access(nearest, os.W_OK | os.X_OK),
        folder_fault=folder.fault(),
        database_bytes=database.stat().st_size if database.is_file() else None,
        database_fault=database_fault(database),
        audit=audit_report(database),
        messages=messages_report(database),
        backups=_copies(folder) if exists else (),
        free_bytes=shutil.disk_usage(nearest).free,
        linked_to=_linked_to(folder),
        held_by_process=folder.holder() if folder.is_held() else None,
    )


def _linked_to(folder: DataFolder) -> LinkedTo | None:
    """Return where the database lies, None where that is the data folder itself, or nowhere."""
    there = folder.database.parent
    if there == folder.path or not there.is_dir():
        return None
    return LinkedTo(
        folder=str(there),
        free_bytes=shutil.disk_usage(there).free,
        is_another_disk=there.stat().st_dev != folder.path.stat().st_dev,
    )


def _copies(folder: DataFolder) -> tuple[str, ...]:
    """Return what migrations and `daehwa restore` have left, killed ones (….part) too: it holds what was deleted since,
    and nobody removes it. Where the database is a link, it may lie beside that, or with a path where the link leads.
    """
    found = (path for database in (folder.path / DATABASE, folder.database) for path in _left_beside(database))
    return tuple(sorted({path.name if path.parent == folder.path else str(path) for path in found}))


def _left_beside(database: Path) -> Iterator[Path]:
    for kind in (f"*.backup{database.suffix}", f"replaced.*{database.suffix}", "*.part"):
        yield from database.parent.glob(f"{database.stem}.{kind}")


def data_faults(data: DataReport) -> list[str]:
    """Return what keeps the program from its work, as sentences."""
    faults = []
    if not data.is_writable:
        faults.append(f"The data folder {data.folder} cannot be written. Give another one with --data-dir.")
    disks = [(data.folder, data.free_bytes)]
    if data.linked_to is not None and data.linked_to.is_another_disk:
        disks.append((data.linked_to.folder, data.linked_to.free_bytes))
    faults += [
        f"The disk of {disk} is full but for {free / MEBIBYTE:.1f} MB. Free some space."
        for disk, free in disks
        if free is not None and free < ROOM_BYTES
    ]
    if data.messages is not None and data.messages.unreadable:
        faults += data.messages.told
        if (more := data.messages.unreadable - len(data.messages.told)) > 0:
            faults.append(f"{more:,} more cannot be read.")
    audit_fault = None if data.audit is None else data.audit.fault
    faults += [fault for fault in (data.folder_fault, data.database_fault, audit_fault) if fault]
    return faults


def data_lines(data: DataReport) -> list[str]:
    """Return what is shown of a data folder."""
    size = "none yet" if data.database_bytes is None else f"{data.database_bytes / MEBIBYTE:.1f} MB"
    held = "" if data.held_by_process is None else f", in use by process {data.held_by_process}"
    free = "" if data.free_bytes is None else _free(data.free_bytes)
    linked = "" if data.linked_to is None else f" in {data.linked_to.folder}{_free(data.linked_to.free_bytes)}"
    return [
        f"  data        {data.folder}{'' if data.is_writable else ' (NOT WRITABLE)'}{held}{free}",
        f"              database {size}{linked}; backups: {', '.join(data.backups) or 'none'}",
        *([] if data.messages is None else [f"              messages: {_messages(data.messages)}"]),
        *([] if data.audit is None else [f"              audit log: {_audit(data.audit)}"]),
    ]


def _free(count: int) -> str:
    return f", {count // MEBIBYTE:,} MB free"


def _audit(audit: AuditReport) -> str:
    return f"{audit.events:,} events, {'the chain holds' if audit.fault is None else 'THE CHAIN IS BROKEN'}"


def _messages(report: MessagesReport) -> str:
    """Return how many messages can be read, as far as they were looked at in time."""
    if report.looked_at >= report.messages:
        return f"{report.messages:,}, {'NOT ALL CAN BE READ' if report.unreadable else 'all can be read'}"
    newest = f"the newest {report.looked_at:,} of {report.messages:,}"
    return f"OF {newest} NOT ALL CAN BE READ" if report.unreadable else f"{newest} can be read"
