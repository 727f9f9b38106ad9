"""Schemathesis makes requests of the descriptions, right and wrong ones: no fault, no answer that is not described."""

import asyncio
import sys
from pathlib import Path

import pytest
from clients.home import Home

PROGRAM = Path(sys.executable).with_name("schemathesis")
SECONDS = 180
OPTIONS = (
    *("--seed", "1", "--max-examples", "5", "--phases", "coverage,fuzzing", "--request-timeout", "10"),
    # Some rules are more than a description can say, such as "one of the two"; breaking them is told in words.
    *("--exclude-checks", "positive_data_acceptance"),
    *("--generation-database", "none", "--no-color", "--header", "Sec-Fetch-Site: same-origin"),
)
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("path", ["/api/openapi.json", "/v1/openapi.json"])
async def test_the_server_keeps_to_its_description(home: Home, path: str) -> None:
    # Each has a key of its own: the first may find and revoke those that are there.
    made = await home.make_key(path, total=100_000_000)
    process = await asyncio.create_subprocess_exec(
        *(str(PROGRAM), "run", f"{home.address}{path}", *OPTIONS),
        *("--header", f"Authorization: Bearer {made['secret']}"),
        cwd=home.folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said, _ = await asyncio.wait_for(process.communicate(), SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, said.decode()
    assert "Authentication failed" not in said.decode()
    await home.nothing_reserved()
