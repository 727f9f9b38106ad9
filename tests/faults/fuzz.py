"""Generated requests, generated steps, spoilt bytes: three kinds of fuzz as one part."""

import asyncio
from pathlib import Path

from faults import generated
from faults.findings import Findings, Note, Size
from faults.machine import run_machine
from faults.readers import run_readers


async def run(size: Size, folder: Path, note: Note) -> Findings:
    """Run all three; the short form leaves generated requests to the tests of the clients."""
    found = Findings("fuzz")
    asking = asyncio.create_task(generated.run(size, folder, note)) if size.is_long else None
    try:
        steps, crashes = await asyncio.to_thread(run_machine, size.of(6, 250), size.of(20, 50))
        found.add("steps of a store beside one in memory, crashes among them", f"{steps:,}, {crashes:,}")
    except AssertionError as fault:
        found.count("stores that differ from the one in memory", 1)
        found.blame(f"{fault}; {'; '.join(getattr(fault, '__notes__', ()))}"[:3000])
    note("the store's machine is done")
    count, wrong = await asyncio.to_thread(run_readers, size.of(40, 4000))
    found.add("spoilt streams, imports and forms that were read", count)
    found.count("kinds of these that were read wrongly", len(wrong))
    found.wrong += wrong
    note("the readers are done")
    if asking is not None:
        asked = await asking
        found.rows += asked.rows
        found.wrong += asked.wrong
    return found
