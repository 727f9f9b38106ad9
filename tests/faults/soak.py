"""The soak: fixed load for twenty minutes. Memory and descriptors stay where they are after the warm-up."""

import asyncio
import random
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from faults.findings import Findings, Note, Size
from faults.place import MODEL, Place, descriptors, get, resident_mb
from server.serving import asked, frames_of, text_of
from upstream import Answer, FakeUpstream, stream

PAGE_WORKERS = 8
PROGRAM_WORKERS = 4
PAUSE_SECONDS = 0.25
SAMPLE_SECONDS = 2.0
SAID = " ".join(f"word{number}" for number in range(40))
SLOPE_MB = 1.0


@dataclass
class Load:
    """What the workers did so far."""

    turns: int = 0
    calls: int = 0
    resumed: int = 0
    wrong: list[str] = field(default_factory=list)


async def run(size: Size, folder: Path, note: Note) -> Findings:
    """Work for the time of this form and sample memory and descriptors."""
    seconds, warm_up = size.of(20, 1200), size.of(8, 300)
    found, load = Findings("soak"), Load()
    upstream = FakeUpstream(Answer(stream(SAID, pace=0.02)))
    async with upstream:
        place = Place(folder, upstream.base_url)
        async with place.served() as (program, client):
            workers = [asyncio.create_task(_page(client, load, n)) for n in range(PAGE_WORKERS)]
            workers += [asyncio.create_task(_program(client, load)) for _ in range(PROGRAM_WORKERS)]
            try:
                samples = await _sampled(program.process.pid, seconds, load, note)
            finally:
                for worker in workers:
                    worker.cancel()
                await asyncio.gather(*workers, return_exceptions=True)
            upstream.requests.clear()
    for sentence in load.wrong:
        found.blame(sentence)
    warm = [sample for sample in samples if sample[0] >= warm_up]
    slope = _slope([(at, memory) for at, memory, _ in warm]) * 600
    files = statistics.median(sample[2] for sample in warm[-20:]) - statistics.median(s[2] for s in warm[:20])
    found.add("minutes of load, warm-up within", f"{seconds / 60:.1f}, {warm_up / 60:.1f}")
    found.add(
        "turns of the page, calls of programs, streams resumed", f"{load.turns:,}, {load.calls:,}, {load.resumed:,}"
    )
    found.count("answers that were not as they should be", len(load.wrong))
    found.add("memory after the warm-up and at the end", f"{warm[0][1]:.1f} MB, {warm[-1][1]:.1f} MB")
    found.add(
        "memory slope, per 10 min",
        f"{slope:+.2f} MB",
        f"≤ {SLOPE_MB:g} MB",
        holds=not size.is_long or slope <= SLOPE_MB,
    )
    found.add("descriptors more than after the warm-up", int(files), "≤ 2", holds=files <= 2)
    return found


async def _sampled(process: int, seconds: float, load: Load, note: Note) -> list[tuple[float, float, int]]:
    began, samples = time.monotonic(), []
    while (at := time.monotonic() - began) < seconds:
        samples.append((at, resident_mb(process), descriptors(process)))
        if len(samples) % 15 == 1:
            _, memory, files = samples[-1]
            note(f"{at:5.0f} s  {memory:6.1f} MB  {files} descriptors  {load.turns} turns  {load.calls} calls")
        await asyncio.sleep(SAMPLE_SECONDS)
    return samples


async def _page(client: aiohttp.ClientSession, load: Load, number: int) -> None:
    chance = random.Random(number)  # noqa: S311 - the same each time
    while True:
        turn = asked("Count, please")
        leaves = chance.random() < 0.3
        async with client.post("/api/turns", json=turn) as answer:
            if leaves:
                await answer.content.readany()
                text = ""
            else:
                text = await answer.text()
        if leaves:
            load.resumed += 1
            async with client.get(f"/api/turns/{turn['reply']}/events") as answer:
                text = await answer.text()
        if text_of(frames_of(text)) != SAID:
            load.wrong.append(f"a reply reads {text[-200:]!r}")
        load.turns += 1
        await get(client, f"/api/conversations/{turn['conversation']}")
        if load.turns % 10 == 0:
            await get(client, "/api/conversations")
            await get(client, "/api/conversations?query=word3")
        if load.turns % 2:
            async with client.delete(f"/api/conversations/{turn['conversation']}") as answer:
                await answer.read()
        await asyncio.sleep(PAUSE_SECONDS)


async def _program(client: aiohttp.ClientSession, load: Load) -> None:
    body = {"model": MODEL, "stream": True, "messages": [{"role": "user", "content": "Count, please"}]}
    while True:
        async with client.post("/v1/chat/completions", json=body) as answer:
            text = await answer.text()
        if not text.endswith("data: [DONE]\n\n"):
            load.wrong.append(f"a call ends with {text[-200:]!r}")
        load.calls += 1
        await asyncio.sleep(PAUSE_SECONDS)


def _slope(samples: list[tuple[float, float]]) -> float:
    """Return the slope of the straight line through the samples, by least squares."""
    return statistics.linear_regression([at for at, _ in samples], [value for _, value in samples]).slope
