"""Clients that are many, that never read, that come and go, that all ask the same, that stop while it ends."""

import asyncio
import json
import random
import socket
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
from faults.findings import Findings, Note, Size
from faults.place import MODEL, Place, descriptors, get, resident_mb
from faults.reading import said_by
from program import Program
from server.serving import Json, asked, frames_of, text_of
from upstream import DONE, ROLE, Answer, FakeUpstream, Request, Step, ending, stream, text

SAID = "Hello there, you."
FLOOD = "flood " * 40_000
FLOOD_MB = 1.0
"""So much memory a stream may take that nobody reads: its text and what waits in its connection."""
SLOWER = 2.0


def answer(request: Request) -> Answer:
    """Answer as the question says: for long and slowly, very much at once, or shortly."""
    question = request.json["messages"][-1]["content"]
    if question == "slow":
        steps: list[Step] = [ROLE]
        for _ in range(600):
            steps += [text("slow "), 1.0]
        return Answer(steps)
    if question == "flood":
        return Answer([ROLE, *(text(FLOOD[n : n + 600]) for n in range(0, len(FLOOD), 600)), ending(), DONE])
    if question.startswith("stop"):
        return Answer(stream(" ".join(f"word{n}" for n in range(30)), pace=0.01))
    if question == "storm":
        return Answer(stream(" ".join(f"word{n}" for n in range(100)), pace=0.05))
    return Answer(stream(SAID))


@dataclass
class Crowd:
    """A server and those who crowd it."""

    program: Program
    client: aiohttp.ClientSession
    upstream: FakeUpstream
    found: Findings
    size: Size
    note: Note

    @property
    def memory(self) -> float:
        """What the server takes, in MB."""
        return resident_mb(self.program.process.pid)

    @property
    def files(self) -> int:
        """What the server has open."""
        return descriptors(self.program.process.pid)

    def request(self, question: str, *, page: bool) -> bytes:
        """Return a question as bytes, by the page or by `/v1`."""
        message = {"role": "user", "content": question}
        body = asked(question) if page else {"model": MODEL, "stream": True, "messages": [message]}
        path = "/api/turns" if page else "/v1/chat/completions"
        content = json.dumps(body).encode()
        head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
        return f"{head}sec-fetch-site: same-origin\r\ncontent-length: {len(content)}\r\n\r\n".encode() + content

    async def connected(self, said: bytes) -> socket.socket:
        """Return a connection on which this was said, and on which nobody reads."""
        loop, where = asyncio.get_running_loop(), urlsplit(self.program.address)
        line = socket.socket()
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.setblocking(False)
        await loop.sock_connect(line, (where.hostname, where.port))
        await loop.sock_sendall(line, said)
        return line

    async def all_leave(self, files: int, seconds: float = 30.0) -> None:
        """Wait until the server has no more open than this."""
        until = time.monotonic() + seconds
        while self.files > files and time.monotonic() < until:  # noqa: ASYNC110 - another process is watched
            await asyncio.sleep(0.1)


Trial = Callable[[Crowd], Awaitable[None]]


# ------------------------------------------------------------ those who never read


async def never_reading(crowd: Crowd) -> None:
    """Open streams; a tenth never reads. Memory stays bounded, and the others wait no longer for their first word."""
    found, size = crowd.found, crowd.size
    streams, dead = size.of(45, 900), size.of(5, 100)
    async with _reading(crowd, streams):
        without, with_them, grown = [], [], []
        for _ in range(size.of(1, 5)):
            without.append(_p99(await _first_words(crowd, size.of(20, 200))))
            before = crowd.memory
            lines = [await crowd.connected(crowd.request("flood", page=n % 2 == 0)) for n in range(dead)]
            await asyncio.sleep(size.of(1, 5))
            with_them.append(_p99(await _first_words(crowd, size.of(20, 200))))
            grown.append(crowd.memory - before)
            for line in lines:
                line.close()
            crowd.note(
                f"{streams} read, {dead} do not: {grown[-1]:+.1f} MB, {crowd.files} descriptors; "
                f"99 of 100 first words within {without[-1]:.0f} ms without, {with_them[-1]:.0f} ms with them"
            )
            await asyncio.sleep(1)
    # Of each round's figure the middle one: on a machine with other work, a round may stand still on its account.
    before_them, beside_them = statistics.median(without), statistics.median(with_them)
    ratio = beside_them / before_them
    each = max(grown) / dead
    found.add("streams open, of these never read", f"{streams + dead:,}, {dead}")
    found.add("memory for one that never reads", f"{each:.2f} MB", f"≤ {FLOOD_MB:g} MB", holds=each <= FLOOD_MB)
    times = f"{before_them:.0f} ms, {beside_them:.0f} ms"
    found.add("first word of the others, 99th of 100 (median of the rounds), without and with them", times)
    found.add("their ratio", f"{ratio:.2f}", f"≤ {SLOWER:g}", holds=not size.is_long or ratio <= SLOWER)


@asynccontextmanager
async def _reading(crowd: Crowd, count: int) -> AsyncIterator[None]:
    """Keep streams open that are read."""
    came: Counter[int] = Counter()

    async def read(number: int) -> None:
        async with crowd.client.post("/api/turns", json=asked("slow")) as response:
            async for _ in response.content.iter_any():
                came[number] += 1

    tasks = []
    for number in range(count):
        tasks.append(asyncio.create_task(read(number)))
        await asyncio.sleep(0.005)
    until = time.monotonic() + 60
    while len(came) < count and time.monotonic() < until:  # noqa: ASYNC110 - readers count
        await asyncio.sleep(0.1)
    crowd.found.add("streams that began", len(came), f"{count:,}", holds=len(came) == count)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _first_words(crowd: Crowd, count: int) -> list[float]:
    """Return the milliseconds to the first word of so many questions, a few at a time."""
    times: list[float] = []
    turns = asyncio.Semaphore(4)

    async def one() -> None:
        async with turns:
            began, came = time.perf_counter(), b""
            async with crowd.client.post("/api/turns", json=asked("hello")) as response:
                async for piece in response.content.iter_any():
                    came += piece
                    if b"event: delta" in came:
                        times.append((time.perf_counter() - began) * 1000)
                        break
                await response.read()

    await asyncio.gather(*(one() for _ in range(count)))
    return times


def _p99(times: list[float]) -> float:
    return statistics.quantiles(times, n=100)[98]


# ------------------------------------------------------------ those who come and go


async def coming_and_going(crowd: Crowd) -> None:
    """Connect and leave: without a word, within a head, within a body, or with a whole question."""
    files, memory, count = crowd.files, crowd.memory, crowd.size.of(200, 10_000)
    question = crowd.request("hello", page=False)
    said = (b"", question[:40], question[:-20], question)
    turns = asyncio.Semaphore(50)

    async def one(number: int) -> None:
        async with turns:
            line = await crowd.connected(said[number % len(said)])
            line.close()

    await asyncio.gather(*map(one, range(count)))
    await crowd.all_leave(files)
    async with crowd.client.get("/healthz") as response:
        is_well = response.status == 200
    crowd.found.add("connects and leaves", count, holds=is_well)
    left = max(0, crowd.files - files)
    crowd.found.add("descriptors left behind", left, "≤ 10", holds=left <= 10)
    crowd.found.add("memory after that", f"{crowd.memory - memory:+.1f} MB")


async def reconnecting(crowd: Crowd) -> None:
    """Many follow one reply and are cut off all at once, again and again; each has all of it in the end."""
    turn, count = asked("storm"), crowd.size.of(20, 300)
    await crowd.client.post("/api/turns", json=turn)
    whole = " ".join(f"word{n}" for n in range(100))
    drops = [asyncio.Event() for _ in range(8)]

    async def follow() -> str:
        said, last = "", 0
        for drop in [*drops, None]:
            path = f"/api/turns/{turn['reply']}/events"
            async with crowd.client.get(path, headers={"Last-Event-ID": str(last)}) as response:
                came = await _until(response, drop)
            frames = frames_of(came)
            said += text_of(frames)
            last = max([last, *(frame.id for frame in frames)])
        return said

    tasks = [asyncio.create_task(follow()) for _ in range(count)]
    for drop in drops:
        await asyncio.sleep(0.4)
        drop.set()
    said = await asyncio.gather(*tasks)
    crowd.found.add("followers, cut off at once 8 times", count)
    crowd.found.count("of these without the whole text, or with some of it twice", sum(one != whole for one in said))


async def _until(response: aiohttp.ClientResponse, drop: asyncio.Event | None) -> str:
    """Return the whole events that came until the drop, or the end."""
    came = b""
    with suppress(aiohttp.ClientError):
        dropping = None if drop is None else asyncio.create_task(drop.wait())
        while True:
            reading = asyncio.create_task(response.content.readany())
            await asyncio.wait([reading, *([dropping] if dropping else [])], return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                reading.cancel()
                response.close()
                break
            if not (piece := reading.result()):
                break
            came += piece
    return came[: came.rfind(b"\n\n") + 2].decode()


# ------------------------------------------------------------ the same at once


async def fifty_times(crowd: Crowd) -> None:
    """One turn, posted fifty times at once: one call, one question, fifty times the same answer."""
    rounds, wrong = crowd.size.of(3, 40), 0
    for _ in range(rounds):
        turn, before = asked("once"), len(crowd.upstream.requests)

        async def post(turn: Json = turn) -> str:
            async with crowd.client.post("/api/turns", json=turn) as response:
                return text_of(frames_of(await response.text()))

        said = await asyncio.gather(*(post() for _ in range(50)))
        opened = await get(crowd.client, f"/api/conversations/{turn['conversation']}")
        calls = len(crowd.upstream.requests) - before
        wrong += calls != 1 or set(said) != {SAID} or len(opened["messages"]) != 2
    crowd.found.add("turns posted 50 times at once", rounds)
    crowd.found.count("of these with more than one call, or another answer", wrong)


async def stopping(crowd: Crowd) -> None:
    """Stop at any moment, from several sides, also just as it ends: it ends, once, and as it is told."""
    count, wrong = crowd.size.of(40, 1000), Counter[str]()
    chance, turns = random.Random(3), asyncio.Semaphore(40)  # noqa: S311 - any moment will do

    async def stop(reply: str, after: float) -> str:
        await asyncio.sleep(after)
        async with crowd.client.post(f"/api/turns/{reply}/stop") as response:
            return str((await response.json()).get("status"))

    async def one(number: int) -> None:
        turn = asked(f"stop {number}")
        async with turns, crowd.client.post("/api/turns", json=turn) as response:
            moments = [chance.uniform(0, 0.6) for _ in range(3)]
            told = await asyncio.gather(*(stop(turn["reply"], moment) for moment in moments))
            frames = frames_of(await response.text())
        reply = (await get(crowd.client, f"/api/conversations/{turn['conversation']}"))["messages"][-1]
        if {reply["status"]} != set(told) or frames[-1].data["status"] != reply["status"]:
            wrong["told otherwise than stored"] += 1
        if text_of(frames) != said_by(reply) or reply["status"] not in {"stopped", "complete"}:
            wrong["text or status"] += 1
            crowd.found.blame(f"{reply['status']}: {text_of(frames)!r:.80} told, {said_by(reply)!r:.80} stored")

    await asyncio.gather(*map(one, range(count)))
    crowd.found.add("replies stopped from three sides", count)
    crowd.found.count("of these ended otherwise than told", sum(wrong.values()))


TRIALS: tuple[Trial, ...] = (fifty_times, stopping, reconnecting, coming_and_going, never_reading)


async def run(size: Size, folder: Path, note: Note) -> Findings:
    """Let every crowd come, one after the other."""
    found = Findings("clients")
    async with AsyncExitStack() as stack:
        upstream = await stack.enter_async_context(FakeUpstream(answer))
        place = Place(folder, upstream.base_url)
        program, client = await stack.enter_async_context(place.served())
        crowd = Crowd(program, client, upstream, found, size, note)
        for trial in TRIALS:
            began = time.monotonic()
            await trial(crowd)
            upstream.requests.clear()
            note(f"{trial.__name__}: {time.monotonic() - began:.1f} s")
    found.count("counters that are not the sum of their entries", place.counters_off())
    return found
