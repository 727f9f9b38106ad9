"""All else that an upstream can do wrong: each ends in a state that is told and stored, and in time."""

import asyncio
import gzip
import json
import socket
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import aiohttp
from faults.cuts import SAID, answer, nothing_reserved
from faults.findings import Findings, Note, Size
from faults.place import MODEL, Place, get
from faults.proxy import Fault, FaultProxy, Spoiling, events_in
from server.serving import asked, frames_of, text_of
from upstream import DONE, FakeUpstream, ending, text

HURRY = "connect_timeout = 1.5\nfirst_byte_timeout = 3.0\nidle_timeout = 2.0\n"
"""The patience of the providers that fall silent; all others have as much as in the settings of everybody."""
LONGEST_SECONDS = 40.0
"""Nobody waits longer for an end, tries and pauses among them."""
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"
LONG_LINE = "long " * 20_000
LONG_BODY = text(LONG_LINE) + ending() + DONE
TOO_LONG = b"x" * 5_000_000
BODY = text(SAID) + ending() + DONE


def in_chunk(body: bytes) -> bytes:
    """Return a body's piece as a chunk."""
    return b"%x\r\n%b\r\n" % (len(body), body)


END = b"0\r\n\r\n"
WHOLE = CHUNKED + in_chunk(BODY) + END
BEGUN = CHUNKED + in_chunk(text(SAID))
FAILED, CUT, COMPLETE = ("failed",), ("interrupted",), ("complete",)


def says(*pieces: bytes | float) -> Fault:
    """Say these bytes, wait these seconds, then close."""

    async def spoil(spoiling: Spoiling) -> None:
        for piece in pieces:
            if isinstance(piece, bytes):
                await spoiling.let(piece)
            else:
                await asyncio.sleep(piece)

    return spoil


def then_silent(*pieces: bytes) -> Fault:
    """Say these bytes, then nothing more, until the server gives up."""

    async def spoil(spoiling: Spoiling) -> None:
        await says(*pieces)(spoiling)
        await spoiling.left()

    return spoil


def half_closed(said: bytes) -> Fault:
    """Say this, close one way, and wait for the server to close the other."""

    async def spoil(spoiling: Spoiling) -> None:
        await spoiling.let(said)
        spoiling.end_one_way()
        await spoiling.left()

    return spoil


def broken_off(said: bytes) -> Fault:
    """Say this, then reset the connection."""

    async def spoil(spoiling: Spoiling) -> None:
        await spoiling.let(said)
        await asyncio.sleep(0.05)
        spoiling.reset()

    return spoil


def dripping(said: bytes, pause: float) -> Fault:
    """Say this byte by byte."""

    async def spoil(spoiling: Spoiling) -> None:
        for place in range(len(said)):
            await spoiling.let(said[place : place + 1])
            await asyncio.sleep(pause)

    return spoil


def endless(head: bytes, piece: bytes, pause: float = 0) -> Fault:
    """Say this for ever, until nobody listens."""

    async def spoil(spoiling: Spoiling) -> None:
        await spoiling.let(head)
        while True:
            spoiling.passed = b""
            await spoiling.let(piece)
            await asyncio.sleep(pause)

    return spoil


def _packed(body: bytes, encoding: bytes = b"gzip") -> bytes:
    return HEAD + b"content-encoding: %b\r\ntransfer-encoding: chunked\r\n\r\n" % encoding + in_chunk(body) + END


def _sized(body: bytes, length: int) -> bytes:
    return HEAD + b"content-length: %d\r\n\r\n" % length + body


@dataclass(frozen=True)
class Case:
    """A fault, how a turn may end by it, and its text where that is known."""

    name: str
    fault: Fault
    ends: tuple[str, ...]
    text: str | None = None

    @property
    def hurried(self) -> bool:
        """Whether it ends by the server's patience."""
        return self.name.startswith(("silent", "a head that drips"))


_PACKED = gzip.compress(BODY)
CASES = (
    Case("late but whole", says(0.5, WHOLE), COMPLETE, SAID),
    Case("byte by byte", dripping(WHOLE, 0), COMPLETE, SAID),
    Case(
        "an event now and then",
        says(BEGUN, 0.5, in_chunk(ending()), 0.5, in_chunk(DONE) + END),
        COMPLETE,
        SAID,
    ),
    Case("reset before the head", broken_off(b""), FAILED, ""),
    Case("reset in the text", broken_off(BEGUN), CUT),
    Case("half closed before the head", half_closed(b""), FAILED, ""),
    Case("half closed in the text", half_closed(BEGUN), CUT, SAID),
    Case("garbage for a head", says(b"\x00\xff\xfe no HTTP\r\n\r\n"), FAILED, ""),
    Case("garbage for a chunk", says(BEGUN, b"zz\r\nwhat\r\n"), CUT, SAID),
    Case("garbage for an event", says(BEGUN, in_chunk(b"data: {no json\n\n"), in_chunk(DONE), END), CUT, SAID),
    Case(
        "garbage for letters",
        says(CHUNKED, in_chunk(BODY.replace(b"Once", b"\xff\xfe\xed\xa0\x80")), END),
        COMPLETE,
    ),
    Case("garbage after the end", says(WHOLE, b"\x00HTTP/1.1 200 OK\r\n\r\n"), COMPLETE, SAID),
    Case("gzip", says(_packed(_PACKED)), COMPLETE, SAID),
    Case("gzip cut off", says(_packed(_PACKED)[:-40]), (*CUT, *FAILED)),
    Case("gzip that is none", says(_packed(b"no gzip at all")), FAILED, ""),
    Case("gzip that swells", says(_packed(gzip.compress(b":" * 400_000_000, 1))), FAILED, ""),
    Case("an encoding that nobody knows", says(_packed(_PACKED, b"br")), FAILED, ""),
    Case("a length too long", says(_sized(BODY, len(BODY) + 100)), COMPLETE, SAID),
    Case("a length too long, in the text", says(_sized(text(SAID), 9999)), CUT, SAID),
    Case("a length too short", says(_sized(BODY, len(text(SAID)))), CUT, SAID),
    Case("a length that is none", says(HEAD + b"content-length: many\r\n\r\n" + BODY), FAILED, ""),
    Case("two lengths", says(HEAD + b"content-length: 5\r\ncontent-length: 7\r\n\r\n" + BODY), FAILED),
    Case(
        "a line of 100,000 letters",
        says(CHUNKED, in_chunk(text(LONG_LINE) + ending() + DONE), END),
        COMPLETE,
        LONG_LINE,
    ),
    Case("a line of 5 MB", says(CHUNKED, in_chunk(b"data: " + TOO_LONG + b"\n\n"), END), FAILED, ""),
    Case("text without end", endless(CHUNKED, in_chunk(text("endless " * 500))), COMPLETE),
    Case("a line without end", endless(CHUNKED + in_chunk(text(SAID)), in_chunk(b"x" * 60_000)), CUT, SAID),
    Case("a head without end", endless(HEAD, b"x-more: %b\r\n" % (b"y" * 4000)), FAILED, ""),
    Case("heads without end", endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100), FAILED, ""),
    Case("silent before the head", then_silent(b""), FAILED, ""),
    Case("silent in the head", then_silent(HEAD), FAILED, ""),
    Case("a head that drips", dripping(HEAD + b"x: " + b"y" * 900, 0.1), FAILED, ""),
    Case("silent after the head", then_silent(CHUNKED), FAILED, ""),
    Case("silent in the text", then_silent(BEGUN, in_chunk(text("!")[:30])), CUT, SAID),
    Case("silent in a chunk's size", then_silent(BEGUN, b"1"), CUT, SAID),
    Case("silent before the last word", then_silent(CHUNKED + in_chunk(text(SAID) + ending())), COMPLETE, SAID),
    Case("a web page", says(b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n<html>no</html>"), FAILED, ""),
    Case("an error in the text", says(BEGUN, in_chunk(b'data: {"error":{"message":"No."}}\n\n'), END), CUT, SAID),
    Case("an error of 500 without a body", says(b"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n"), FAILED, ""),
    Case("an error cut off", says(b"HTTP/1.1 503 No\r\ncontent-length: 900\r\n\r\n{"), FAILED, ""),
    Case("nothing", says(CHUNKED, END), FAILED, ""),
)


Way: TypeAlias = Coroutine[None, None, str | None]


@asynccontextmanager
async def full_house() -> AsyncIterator[int]:
    """Yield a port that takes no more connections, and says nothing of it."""
    with closing(socket.socket()) as house:
        house.bind(("127.0.0.1", 0))
        house.listen(0)
        guests = [socket.socket() for _ in range(3)]
        for guest in guests:
            guest.setblocking(False)
            guest.connect_ex(house.getsockname())
        try:
            yield house.getsockname()[1]
        finally:
            for guest in guests:
                guest.close()


async def run(size: Size, folder: Path, note: Note) -> Findings:
    """Meet every fault by the page and by `/v1`; both forms do all."""
    del size
    found = Findings("wires")
    async with FakeUpstream(answer) as upstream, FaultProxy(upstream.port) as proxy, full_house() as port:
        place = Place(folder, proxy.base_url, providers=tuple(f"w{number}" for number in range(2 * len(CASES))))
        _hurry(place, proxy.base_url, port)
        async with place.served() as (_, client):
            ends = []
            for hurried in (False, True):
                ends += await asyncio.gather(*(_timed(way) for way in _ways(client, proxy, hurried=hurried)))
                note(f"{len(ends)} faults met")
            await nothing_reserved(place)
        for wrong in filter(None, ends):
            found.blame(wrong)
        found.add("faults met by the page and by /v1", len(ends))
        found.count("wrong ends", len([end for end in ends if end]))
        found.count("counters that are not the sum of their entries", place.counters_off())
    return found


def _hurry(place: Place, base_url: str, full: int) -> None:
    """Add the providers that have little patience: for each case that needs one, and one that takes no connection."""
    names = {f"h{number}": base_url for number in range(2 * len(CASES))} | {"full": f"http://127.0.0.1:{full}/v1"}
    for name, url in names.items():
        place.add_provider(name, url, HURRY)


def _ways(client: aiohttp.ClientSession, proxy: FaultProxy, *, hurried: bool) -> list[Way]:
    """Return what is to be done: those that wait for a time-out after, and apart from, those that keep all busy."""
    ways = []
    for number, case in enumerate(CASES):
        if case.hurried is hurried:
            proxy.faults |= {f"plain {case.name}, {way}": case.fault for way in ("page", "program")}
            first = "h" if hurried else "w"
            ways.append(_page(client, case, f"{first}{number}"))
            ways.append(_program(client, case, f"{first}{number + len(CASES)}"))
    if hurried:
        ways.append(_page(client, Case("no room for a connection", says(), FAILED, ""), "full"))
    return ways


async def _timed(way: Way) -> str | None:
    began = time.monotonic()
    try:
        return await asyncio.wait_for(way, LONGEST_SECONDS)
    except TimeoutError:
        return f"no end within {time.monotonic() - began:.0f} s: {way}"


async def _page(client: aiohttp.ClientSession, case: Case, provider: str) -> str | None:
    turn = asked(f"plain {case.name}, page") | {"model": f"{provider}/{MODEL}"}
    async with client.post("/api/turns", json=turn) as response:
        frames = frames_of(await response.text())
    opened = await get(client, f"/api/conversations/{turn['conversation']}")
    reply = opened["messages"][-1]
    kept = "".join(part["text"] for part in reply["parts"])
    end, error = reply["status"], reply.get("error") or {}
    told = (frames[-1].data["status"], text_of(frames))
    if told != (end, kept):
        return f"{case.name}: told {told[0]} and {len(told[1])} letters, stored {end} and {len(kept)}"
    if end not in case.ends or (case.text is not None and kept != case.text):
        return f"{case.name}: {end}, {error}, {kept[:100]!r}"
    if end != "complete" and not (str(error["type"]).startswith("upstream_") and error["message"].endswith((".", "”"))):
        return f"{case.name}: {error}"
    return None


async def _program(client: aiohttp.ClientSession, case: Case, provider: str) -> str | None:
    question = {"role": "user", "content": f"plain {case.name}, program"}
    body = {"model": f"{provider}/{MODEL}", "stream": True, "messages": [question]}
    came, is_broken = bytearray(), False
    async with client.post("/v1/chat/completions", json=body) as response:
        try:
            async for piece in response.content.iter_any():
                came += piece
                if len(came) > 6_000_000:
                    return None  # a program that has enough leaves; the proxy's end is checked by its own leaving
        except aiohttp.ClientPayloadError:
            is_broken = True
    if response.status != 200:
        said = json.loads(came) if came else {}
        is_told = "error" in said or response.status >= 500
        return None if is_told else f"{case.name}, /v1: {response.status} {bytes(came[:200])!r}"
    events = events_in(bytes(came))
    is_told = bool(events) and (b'"error"' in events[-1] or events[-1] == b"[DONE]")
    if (
        "complete" in case.ends
        and (is_broken or b"[DONE]" not in events)
        and case.name != "silent before the last word"
    ):
        return f"{case.name}, /v1: not whole: {bytes(came[-300:])!r}"
    return (
        None if is_told or is_broken or _is_of_upstream(case) else f"{case.name}, /v1: ends with {bytes(came[-300:])!r}"
    )


def _is_of_upstream(case: Case) -> bool:
    """Whether the upstream itself ended as if all was well: a relay of bytes has nothing to add."""
    return case.name in {"a length too short", "nothing", "a web page", "a line of 5 MB"}
