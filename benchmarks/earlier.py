"""What a folder holds of an earlier run, so that none takes its place and loses something unsaid.

Two runs are never put together: ratios hold within one, and figures of another hour beside them would be taken for one.
"""

from collections.abc import Collection
from pathlib import Path

import msgspec
from results import Results


def objection(folder: Path, parts: Collection[str], left_out: Collection[str]) -> str | None:
    """Say what a run of these parts without these contestants would lose there; None where that is nothing."""
    there = _run_in(folder)
    if there is None or not (gone := lost(there, parts, left_out)):
        return None
    return (
        f"{folder} has the run of {there.about.get('date', 'another day')}, and of it this one does not measure "
        f"{', '.join(gone)}. Runs are not put together: name another folder by --output, or give the old one up by "
        "--replace."
    )


def lost(there: Results, parts: Collection[str], left_out: Collection[str]) -> list[str]:
    """Return what a run has that another would not: parts that are not among these, contestants that are left out."""
    measured = {name for row in there.rows.values() for name in row.values}
    return [*(part for part in there.seconds if part not in parts), *(name for name in left_out if name in measured)]


def _run_in(folder: Path) -> Results | None:
    """Return the run that is there; None where there is none that can be read."""
    try:
        return msgspec.json.decode((folder / "results.json").read_bytes(), type=Results)
    except (OSError, msgspec.MsgspecError):
        return None
