"""The official `openai` package for Node sees through daehwa what it sees of the upstream, field by field."""

import asyncio
import base64
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from clients.asks import ASKS, CHAT, FAILING, HELLO, RECORDING, Ask
from clients.known_differences import compared
from node_packages import installed
from openai_like.server import Door

FOLDER = Path(__file__).parent / "node"
SECONDS = 120
pytestmark = pytest.mark.asyncio(loop_scope="module")


async def recorded(door: Door, asks: Sequence[Ask]) -> list[dict[str, Any]]:
    """Return what the package saw of each ask."""
    environment = await asyncio.to_thread(installed, FOLDER)
    node = shutil.which("node", path=environment["PATH"])
    assert node is not None, "npm came without node"
    process = await asyncio.create_subprocess_exec(
        node,
        "record.mjs",
        cwd=FOLDER,
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    told = {
        **door._asdict(),
        "recording": base64.b64encode(RECORDING).decode(),
        "asks": [ask._asdict() for ask in asks],
    }
    try:
        said, complaint = await asyncio.wait_for(process.communicate(json.dumps(told).encode()), SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, complaint.decode()
    records: list[dict[str, Any]] = json.loads(said)
    return records


async def test_the_client_sees_the_same(direct: Door, through: Door) -> None:
    directly, through_daehwa = await recorded(direct, ASKS), await recorded(through, ASKS)
    assert {record["status"] for record in directly[:-1]} == {200}
    seen = zip(ASKS, directly, through_daehwa, strict=True)
    found = [line for ask, one, other in seen for line in compared(ask, one, other)]
    assert found == []


async def test_errors_of_the_upstream_are_the_same_classes(direct: Door, through: Door) -> None:
    # Between them calls that go well, so that faults never come five in a row: the circuit stays closed.
    asks = [ask for failing in FAILING for ask in (failing, Ask("well", CHAT, HELLO))]
    directly, through_daehwa = await recorded(direct, asks), await recorded(through, asks)
    assert {record["class"] for record in directly if "class" in record} >= {"BadRequestError", "RateLimitError"}
    seen = zip(asks, directly, through_daehwa, strict=True)
    found = [line for ask, one, other in seen for line in compared(ask, one, other)]
    assert found == []
