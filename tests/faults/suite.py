"""All parts of the fault suite by their names, and the command that runs them."""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeAlias

from faults import crowds, cuts, disks, dynamo, fuzz, kills, soak, wires
from faults.findings import LONG, SHORT, Findings, Note, Size, table, write

Part: TypeAlias = Callable[[Size, Path, Note], Awaitable[Findings]]
PARTS: dict[str, Part] = {
    "cuts": cuts.run,
    "kills": kills.run,
    "clients": crowds.run,
    "fuzz": fuzz.run,
    "store": disks.run,
    "dynamodb": dynamo.run,
    "soak": soak.run,
    "wires": wires.run,
}
DOCS = Path(__file__).resolve().parents[2] / "docs"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; print a table; return whether all holds as an exit code."""
    options = argparse.ArgumentParser(prog="fault_suite.py", description="The fault suite.")
    options.add_argument("parts", nargs="*", metavar="part", help=f"which parts: {', '.join(PARTS)}; none: all")
    options.add_argument("--long", action="store_true", help="the long form: an hour and more")
    options.add_argument("--write", action="store_true", help="keep the figures in docs/faults.json and docs/faults.md")
    given = options.parse_args(arguments)
    if unknown := [part for part in given.parts if part not in PARTS]:
        options.error(f"there is no part {', '.join(unknown)}")
    found, seconds = [], {}
    for name in given.parts or PARTS:
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="daehwa-faults-") as folder:
            found.append(asyncio.run(_run(name, LONG if given.long else SHORT, Path(folder))))
        seconds[name] = time.monotonic() - began
        _print(table(found[-1:]))
        if given.write:
            write(DOCS, found[-1:], seconds=seconds)
    return 0 if all(part.holds for part in found) else 1


async def _run(name: str, size: Size, folder: Path) -> Findings:
    return await PARTS[name](size, folder, partial(_say, name))


def _say(name: str, text: str) -> None:
    _print(f"{time.strftime('%H:%M:%S')} {name}: {text}")


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
