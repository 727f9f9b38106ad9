"""The short form of every part of the fault suite; docs/faults.md says how the long one is run."""

from pathlib import Path

import pytest
from faults.findings import SHORT
from faults.suite import PARTS


@pytest.mark.parametrize("part", [name for name in PARTS if name != "soak"])
async def test_a_part_in_its_short_form(part: str, tmp_path: Path) -> None:
    said: list[str] = []
    found = await PARTS[part](SHORT, tmp_path, said.append)
    found.check()
