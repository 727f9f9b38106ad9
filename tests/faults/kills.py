"""The server is killed (`kill -9`) at random moments under load; what was acknowledged is there, and it goes on."""

import asyncio
import json
import random
import sqlite3
import statistics
import time
from bisect import bisect_right
from collections import Counter
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from faults.findings import Findings, Note, Size
from faults.place import MODEL, Place
from faults.reading import said_by
from program import Program
from server.serving import Json, asked, frames_of, text_of
from upstream import Answer, FakeUpstream, Request, stream

TURNS = 50
CALLS = 6
CHECKPOINT_SECONDS = 0.4
LATE_SECONDS = 1.0
"""A checkpoint is due every 0.4 s; so much at most, with its writing on a busy machine, may be lost of a stream."""
REST = "and the rest."
PACE = 0.05
_FINAL = {"complete", "interrupted", "failed", "stopped"}


@dataclass
class Asking:
    """A question, and what its client saw of it. `moments` and `lengths`: how much text had come when."""

    turn: Json
    answer: str
    acknowledged: bool = False
    said: str = ""
    ended: str = ""
    moments: list[float] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)

    @property
    def question(self) -> str:
        """The question's text."""
        return str(self.turn["message"]["parts"][0]["text"])

    def take(self, block: str) -> None:
        """Take an event of the stream."""
        if block.startswith(":"):
            return
        _, kind, data = block.split("\n")
        if kind == "event: delta":
            self.said += json.loads(data[6:])
            self.moments.append(time.monotonic())
            self.lengths.append(len(self.said))
        elif kind in {"event: done", "event: error"}:
            self.ended = json.loads(data[6:])["status"]

    def lost_seconds(self, kept: int, killed: float) -> float:
        """Return how long before the kill the first letter came that was not kept."""
        place = bisect_right(self.lengths, kept)
        return 0.0 if place == len(self.lengths) else max(0.0, killed - self.moments[place])


@dataclass
class Tally:
    """What was found over all runs."""

    kills: int = 0
    asked: int = 0
    acknowledged: int = 0
    told_ended: int = 0
    calls: int = 0
    continued: int = 0
    wrong: Counter[str] = field(default_factory=Counter)
    losses: list[float] = field(default_factory=list)


def words(question: str) -> str:
    """Return what the upstream answers to a question: no two alike, some short, most longer than anybody lives."""
    number = int(question.rpartition(" ")[2])
    return " ".join(f"{number}-{n}" for n in range(8 if number % 4 == 0 else 400))


class Double:
    """The upstream. It outlives every server. `reached`: the questions that came, how often."""

    def __init__(self) -> None:
        self.reached: Counter[str] = Counter()
        self.upstream = FakeUpstream(self._answer)

    def _answer(self, request: Request) -> Answer:
        messages = request.json["messages"]
        self.reached[messages[0]["content"]] += len(messages) == 1
        if len(messages) > 1:
            return Answer(stream(REST))
        return Answer(stream(words(messages[0]["content"]), pace=PACE))


async def run(size: Size, folder: Path, note: Note) -> Findings:
    """Kill, start, compare; as often as this form does."""
    found, tally, double = Findings("kills"), Tally(), Double()
    moments = random.Random(20261129)  # noqa: S311 - any moment will do
    runs = size.of(5, 300)
    async with double.upstream, AsyncExitStack() as stack:
        place = Place(folder, double.upstream.base_url)
        program, client = await stack.enter_async_context(place.served())
        everything: list[Asking] = []
        for number in range(runs):
            askings, killed = await _killed(program, client, number, moments, tally)
            await stack.aclose()
            program, client = await stack.enter_async_context(place.served())
            await _compare(client, askings, killed, found, tally)
            _check_file(place, double, askings, found, tally)
            await _go_on(client, askings, found, tally)
            everything += askings
            double.upstream.requests.clear()
            if number % 10 == 9:
                note(f"{tally.kills} kills, {tally.acknowledged} acknowledged, wrong: {dict(tally.wrong)}")
        await _look_back(place, everything, found, tally)
    return _told(found, tally)


async def _killed(
    program: Program, client: aiohttp.ClientSession, number: int, moments: random.Random, tally: Tally
) -> tuple[list[Asking], float]:
    """Ask fifty questions and some of `/v1`, and kill the server among them."""
    askings = []
    for n in range(TURNS):
        question = f"Question {number * TURNS + n}"
        askings.append(Asking(asked(question), words(question)))
    tasks = [asyncio.create_task(_ask(client, asking, moments.uniform(0, 0.3))) for asking in askings]
    tasks += [asyncio.create_task(_call(client, tally, number * CALLS + n)) for n in range(CALLS)]
    if number % 3:  # in the midst of answers; else perhaps before any has begun
        await _begun(askings)
    await asyncio.sleep(moments.uniform(0.05, 2.5))
    killed = time.monotonic()
    await program.kill()
    tally.kills += 1
    await asyncio.gather(*tasks)
    tally.asked += len(askings)
    tally.acknowledged += sum(asking.acknowledged for asking in askings)
    tally.told_ended += sum(bool(asking.ended) for asking in askings)
    return askings, killed


async def _begun(askings: list[Asking]) -> None:
    """Wait until some answers have begun, for a while."""
    until = time.monotonic() + 10
    while sum(bool(asking.said) for asking in askings) < len(askings) // 4 and time.monotonic() < until:  # noqa: ASYNC110 - many tasks say it
        await asyncio.sleep(0.05)


async def _ask(client: aiohttp.ClientSession, asking: Asking, after: float) -> None:
    await asyncio.sleep(after)
    rest = ""
    try:
        async with client.post("/api/turns", json=asking.turn) as answer:
            asking.acknowledged = answer.status == 200
            async for piece in answer.content.iter_any():
                *blocks, rest = (rest + piece.decode()).split("\n\n")
                for block in blocks:
                    asking.take(block)
    except (aiohttp.ClientError, OSError):
        pass


async def _call(client: aiohttp.ClientSession, tally: Tally, number: int) -> None:
    body = {"model": MODEL, "messages": [{"role": "user", "content": f"Call {number * 4}"}], "stream": True}
    try:
        async with client.post("/v1/chat/completions", json=body) as answer:
            tally.calls += (await answer.text()).endswith("data: [DONE]\n\n")
    except (aiohttp.ClientError, OSError):
        pass


async def _stored(client: aiohttp.ClientSession, turn: Json) -> list[Json] | None:
    async with client.get(f"/api/conversations/{turn['conversation']}") as answer:
        if answer.status == 404:
            return None
        messages: list[Json] = (await answer.json())["messages"]
        return messages


async def _compare(
    client: aiohttp.ClientSession, askings: list[Asking], killed: float, found: Findings, tally: Tally
) -> None:
    """Compare what each client saw with what is stored."""
    for asking in askings:
        messages = await _stored(client, asking.turn)
        if messages is None:
            if asking.acknowledged:
                tally.wrong["questions lost"] += 1
                found.blame(f"{asking.question} was acknowledged and is gone")
            continue
        fault = _fault(asking, messages, killed, tally)
        if fault is not None:
            tally.wrong[fault] += 1
            found.blame(
                f"{asking.question}: {fault}; seen {len(asking.said)}, ended {asking.ended!r}, stored {messages!r:.400}"
            )


def _fault(asking: Asking, messages: list[Json], killed: float, tally: Tally) -> str | None:
    ids = [message["id"] for message in messages]
    if ids != [asking.turn["message"]["id"], asking.turn["reply"]]:
        return "duplicates"
    question, reply = messages
    kept = said_by(reply)
    if said_by(question) != asking.question:
        return "questions lost"
    if not asking.answer.startswith(kept) or not asking.answer.startswith(asking.said):
        return "texts that are no prefix of what the upstream sent"
    if reply["status"] not in _FINAL:
        return "replies without an end"
    if asking.ended and (asking.ended != reply["status"] or kept != asking.said):
        return "ends that were told and are not stored"
    loss = asking.lost_seconds(len(kept), killed)
    tally.losses.append(loss)
    return "texts shorter than a checkpoint allows" if loss > LATE_SECONDS else None


def _check_file(place: Place, double: Double, askings: list[Asking], found: Findings, tally: Tally) -> None:
    """Look into the file from outside, while the new server has it."""
    if (said := place.integrity()) != "ok":
        tally.wrong["files that are not sound"] += 1
        found.blame(f"integrity_check says {said}")
    if off := place.counters_off():
        tally.wrong["counters that are not the sum of their entries"] += off
    with closing(sqlite3.connect(place.database)) as connection:
        entries = {row[0] for row in connection.execute("SELECT id FROM entries")}
        (twice,) = connection.execute("SELECT count(*) - count(DISTINCT id) FROM entries").fetchone()
        (chats, settled) = connection.execute(
            "SELECT count(*), coalesce(sum(settled), 0) FROM entries WHERE kind = 'chat'"
        ).fetchone()
    missing = [a for a in askings if double.reached[a.question] and a.turn["reply"] not in entries]
    tally.wrong["paid questions without an entry"] += len(missing)
    tally.wrong["calls that have two entries"] += twice
    calls = sum(number for question, number in double.reached.items() if question.startswith("Call"))
    tally.wrong["paid calls without an entry"] += max(0, calls - chats)
    tally.wrong["answered calls that are not settled"] += max(0, tally.calls - settled)
    tally.wrong["questions asked of the upstream twice"] += sum(double.reached[a.question] > 1 for a in askings)


async def _go_on(client: aiohttp.ClientSession, askings: list[Asking], found: Findings, tally: Tally) -> None:
    """Continue an answer that was cut off, and send a question again that was answered in part."""
    for asking in askings:
        messages = await _stored(client, asking.turn)
        if messages is None or messages[1]["status"] != "interrupted" or not said_by(messages[1]):
            continue
        more = asked(conversation=asking.turn["conversation"])
        del more["message"]
        more |= {"parent": asking.turn["reply"], "continue": True}
        async with client.post("/api/turns", json=more) as answer:
            text = await answer.text()
        rest = text_of(frames_of(text)) if answer.status == 200 else text
        async with client.post("/api/turns", json=asking.turn) as answer:
            again = text_of(frames_of(await answer.text()))
        tally.continued += 1
        if rest != REST or again != said_by(messages[1]):
            tally.wrong["answers that could not be continued"] += 1
            found.blame(f"{asking.question}: continued with {rest!r}, and again {again!r:.100}")
        return


async def _look_back(place: Place, everything: list[Asking], found: Findings, tally: Tally) -> None:
    """See that nothing of the earlier runs went away in the later ones."""
    with closing(sqlite3.connect(place.database)) as connection:
        there = {row[0] for row in connection.execute("SELECT id FROM messages")}
    gone = [a for a in everything if a.acknowledged and not {a.turn["message"]["id"], a.turn["reply"]} <= there]
    tally.wrong["questions lost"] += len(gone)
    for asking in gone:
        found.blame(f"{asking.question} was there once and is gone")


def _told(found: Findings, tally: Tally) -> Findings:
    losses: Any = sorted(tally.losses) or [0.0]
    found.add("kills under 50 turns and 6 calls of programs", tally.kills)
    found.add("questions asked, acknowledged before the kill", f"{tally.asked:,}, {tally.acknowledged:,}")
    found.add("answers told as ended before the kill", tally.told_ended)
    for what in (
        *(
            "questions lost",
            "duplicates",
            "texts that are no prefix of what the upstream sent",
            "replies without an end",
        ),
        *(
            "ends that were told and are not stored",
            "texts shorter than a checkpoint allows",
            "files that are not sound",
        ),
        *("counters that are not the sum of their entries", "paid questions without an entry"),
        *("paid calls without an entry", "answered calls that are not settled"),
        *("questions asked of the upstream twice", "answers that could not be continued"),
    ):
        found.count(what, tally.wrong[what])
    median, most = statistics.median(losses), losses[-1]
    worst = losses[len(losses) * 99 // 100]
    found.add(
        "seconds of text lost: median, 99th of 100, most",
        f"{median:.2f}, {worst:.2f}, {most:.2f}",
        f"≤ {LATE_SECONDS:g}",
    )
    found.add("answers continued after the start", tally.continued)
    return found
