"""What many large questions in one moment take of the memory of the installed program, and who is answered beside."""

import asyncio
import json
import re
import sys
import time
from io import BytesIO
from pathlib import Path

import aiohttp
import pytest
from images import large, sent
from program import serving
from server.serving import Json, asked
from upstream import Answer, FakeUpstream, Request, stream

IMAGES, IMAGE_BYTES = 8, 499_000
WHOLE, HALVES = 40, 40
THINKS = 0.5
MOST_MB = 450
"""So many took 850 MB before they were bounded, and 220 since."""


def showing() -> Json:
    body = asked("What is this?")
    body["message"]["parts"] += [sent(large(IMAGE_BYTES)) for _ in range(IMAGES)]
    return body


def most_mb(process: int) -> float:
    status = Path(f"/proc/{process}/status").read_text("ascii")
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) / 1000


async def _half_sent(address: str, body: bytes) -> asyncio.StreamWriter:
    _, writer = await asyncio.open_connection("127.0.0.1", int(address.rpartition(":")[2]))
    head = "POST /api/turns HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body[: len(body) // 2])
    return writer


async def _answered(client: aiohttp.ClientSession) -> float:
    """Ask for something small; return how long that took."""
    began = time.monotonic()
    async with client.get("/api/me") as answer:
        assert answer.status == 200
    await asyncio.sleep(0.05)
    return time.monotonic() - began


def _thinking(_request: Request) -> Answer:
    return Answer(stream("A tree."), before=THINKS)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc says how much memory a process has had at most")
async def test_many_large_questions_in_one_moment_stay_within_bounds(tmp_path: Path) -> None:
    body = json.dumps(showing()).encode()
    settings = {"DAEHWA_TITLES": "no", "OPENAI_API_KEY": "sk-none"}
    async with (
        FakeUpstream(_thinking) as upstream,
        serving(tmp_path / "data", {"OPENAI_BASE_URL": upstream.base_url, **settings}) as program,
        aiohttp.ClientSession(program.address, connector=aiohttp.TCPConnector(limit=0)) as client,
    ):
        halves = [await _half_sent(program.address, body) for _ in range(HALVES)]

        async def ask() -> str:
            headers = {"content-type": "application/json"}
            while True:
                question = BytesIO(json.dumps(showing()).encode())
                async with client.post("/api/turns", data=question, headers=headers) as answer:
                    text = await answer.text()
                    if answer.status == 200:
                        return text
                    assert answer.status == 503, text

        asking = [asyncio.create_task(ask()) for _ in range(WHOLE)]
        waits = [await _answered(client) for _ in range(20)]
        for writer in halves:  # they leave, and all the others are answered
            writer.transport.abort()
        waits += [await _answered(client) for _ in range(20)]
        for said in await asyncio.gather(*asking):
            assert "tree" in said
        assert most_mb(program.process.pid) < MOST_MB
        assert sorted(waits)[len(waits) // 2] < 1
