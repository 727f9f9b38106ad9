"""A recorded stream is cut at every byte: through page turns and through `/v1`, by a plain end and by a reset."""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import aiohttp
from faults.findings import Findings, Note, Size
from faults.place import MODEL, Place, get
from faults.proxy import Fault, FaultProxy, Spoiling, body_of, events_in, heard
from server.serving import asked, frames_of, text_of
from upstream import DONE, ROLE, Answer, FakeUpstream, Request, Step, chunk, ending, stream, text, usage

AT_ONCE = 60
_SETTLED_SECONDS = 60.0
PROVIDERS = tuple(f"p{number}" for number in range(20))
"""Each has a circuit of its own: answers without a head, one after the other, would open the only one."""
SAID = "Once upon a 시간 there 🦊 was."
_THINKS: list[Step] = [
    *(ROLE, chunk({"reasoning_content": "Hm, "}), chunk({"reasoning_content": "여우?"})),
    *(text("A 여우"), text(" it is."), ending(), usage(), DONE),
]
WHOLE = {
    "choices": [{"index": 0, "message": {"role": "assistant", "content": SAID}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12},
}
KINDS = {
    "plain": Answer(stream(SAID)),
    "closed": Answer(stream(SAID), framing="close"),
    "whole": Answer([json.dumps(WHOLE).encode()], headers={"content-type": "application/json"}),
    "thinks": Answer([b"".join(step.replace(b"\n", b"\r\n") for step in _THINKS if isinstance(step, bytes))]),
}

Way: TypeAlias = Callable[[aiohttp.ClientSession, FaultProxy, str, str], Awaitable[str | None]]


@dataclass
class Tally:
    """What was tried, and what ended wrongly."""

    tried: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)


def cut(offset: int) -> Fault:
    """Let so many bytes through, then end."""

    async def spoil(spoiling: Spoiling) -> None:
        await spoiling.let(spoiling.recorded[:offset])

    return spoil


def reset(offset: int) -> Fault:
    """Let so many bytes through, then break off."""

    async def spoil(spoiling: Spoiling) -> None:
        await spoiling.let(spoiling.recorded[:offset])
        await asyncio.sleep(0.05)
        spoiling.reset()

    return spoil


def answer(request: Request) -> Answer:
    """Answer as the question's first word says."""
    return KINDS[request.json["messages"][-1]["content"].split()[0]]


async def page(client: aiohttp.ClientSession, proxy: FaultProxy, question: str, provider: str) -> str | None:
    """Ask by the page; return what is wrong with how it ended, None where all is right."""
    turn = asked(question) | {"model": f"{provider}/{MODEL}"}
    async with client.post("/api/turns", json=turn) as response:
        frames = frames_of(await response.text())
    opened = await get(client, f"/api/conversations/{turn['conversation']}")
    reply = opened["messages"][-1]
    kept = {kind: "".join(p["text"] for p in reply["parts"] if p["type"] == kind) for kind in ("text", "reasoning")}
    seen = {"text": text_of(frames), "reasoning": "".join(f.data for f in frames if f.event == "reasoning")}
    body = body_of(proxy.passed.get(question, b""))
    come, thought, has_finish = ("", "", False) if body is None else heard(body[0])
    end = (reply["status"], (reply.get("error") or {}).get("type"))
    if seen != kept or frames[-1].data["status"] != reply["status"]:
        return f"the client saw {seen} and {frames[-1].data}, stored are {kept} and {end}"
    is_exact = "reset" not in question
    if (kept["text"], kept["reasoning"]) != (come, thought) and is_exact:
        return f"{come!r} and {thought!r} came, stored are {kept}"
    if not (come.startswith(kept["text"]) and thought.startswith(kept["reasoning"])):
        return f"{come!r} and {thought!r} came, stored are {kept}"
    if end[0] == "complete":
        return None if has_finish and kept["text"] == come else "complete, although its end never came"
    if has_finish and is_exact:
        return f"its end came, and it is {end}"
    expected = "interrupted" if any(kept.values()) else "failed"
    return (
        None if end[0] == expected and str(end[1]).startswith("upstream_") else f"it should be {expected}, and is {end}"
    )


def _program(*, counts: bool) -> Way:
    async def program(client: aiohttp.ClientSession, proxy: FaultProxy, question: str, provider: str) -> str | None:
        """Ask by `/v1`; `counts`: usage is asked for by the client, so each byte is the upstream's own."""
        asks = {"model": f"{provider}/{MODEL}", "stream": True, "messages": [{"role": "user", "content": question}]}
        asks |= {"stream_options": {"include_usage": True}} if counts else {}
        came, is_broken = b"", False
        async with client.post("/v1/chat/completions", json=asks) as response:
            status = response.status
            try:
                async for piece in response.content.iter_any():
                    came += piece
            except aiohttp.ClientPayloadError:
                is_broken = True
        body = body_of(proxy.passed.get(question, b""))
        if status != 200:
            is_told = "error" in json.loads(came)
            return None if is_told and not (body and body[0]) else f"{status} and {came!r:.200}"
        return _judged(question, came, body or (b"", False), counts=counts, is_broken=is_broken)

    return program


def _judged(question: str, came: bytes, body: tuple[bytes, bool], *, counts: bool, is_broken: bool) -> str | None:
    """Return what is wrong with the bytes that a program got of those that the upstream sent."""
    sent, has_ended = body
    is_exact = "reset" not in question
    whole = sent[: sent.rfind(b"\n\n") + 2] if b"\n\n" in sent else b""
    if counts and is_exact and not came.startswith(whole):
        return f"{sent!r:.200} was sent, {came!r:.200} came"
    events = events_in(came)
    try:
        said = [json.loads(data) for data in events if data not in {b"", b"[DONE]"}]
    except ValueError:
        return f"a program cannot read {came[-300:]!r}"
    told = bool(said) and "error" in said[-1]
    # A CR ends its line at once; a proxy of bytes may wait for the LF that belongs to it.
    if is_exact and heard(came)[0] not in {heard(sent)[0], heard(sent.removesuffix(b"\r"))[0]}:
        return f"{heard(sent)[0]!r} was sent, {heard(came)[0]!r} came"
    if has_ended and is_exact:
        return "all of it came, and an error with it" if told or is_broken else None
    return None if told or is_broken or b"[DONE]" in events else f"it ends as if all was well: {came[-200:]!r}"


async def whole(client: aiohttp.ClientSession, proxy: FaultProxy, question: str, provider: str) -> str | None:
    """Ask by `/v1` for an answer in one piece: all of it comes, or an error."""
    asks = {"model": f"{provider}/{MODEL}", "messages": [{"role": "user", "content": question}]}
    async with client.post("/v1/chat/completions", json=asks) as response:
        said = await response.json()
    body = body_of(proxy.passed.get(question, b""))
    if response.status == 200:
        return None if said == WHOLE and body is not None and body[1] else f"{said} of {body}"
    is_told = "error" in said and response.status >= 500
    return None if is_told and not (body and body[1]) else f"{response.status} and {said}"


WAYS: dict[str, tuple[Way, str, Callable[[int], Fault]]] = {
    "page, plain, cut": (page, "plain", cut),
    "page, plain, reset": (page, "plain", reset),
    "page, ended by closing, cut": (page, "closed", cut),
    "page, reasoning and CRLF, cut": (page, "thinks", cut),
    "/v1 as it comes, cut": (_program(counts=True), "plain", cut),
    "/v1 with usage taken out, cut": (_program(counts=False), "plain", cut),
    "/v1 with CRLF, cut": (_program(counts=False), "thinks", cut),
    "/v1 in one piece, cut": (whole, "whole", cut),
    "/v1 as it comes, reset": (_program(counts=True), "plain", reset),
}


async def run(size: Size, folder: Path, note: Note) -> Findings:
    """Cut everywhere, or at a sample of places in the short form."""
    found, tally = Findings("cuts"), Tally()
    async with FakeUpstream(answer) as upstream, FaultProxy(upstream.port) as proxy:
        place = Place(folder, proxy.base_url, providers=PROVIDERS)
        async with place.served() as (_, client):
            for name, (way, kind, spoil) in WAYS.items():
                length = len(await proxy.record(kind))
                offsets = list(range(length)) if size.is_long else list(range(0, length, 97))
                await _all(client, proxy, (name, way, kind, spoil), offsets, found, tally)
                note(f"{name}: {len(offsets)} places, wrong so far: {dict(tally.wrong)}")
            await nothing_reserved(place)
        found.add("places tried", sum(tally.tried.values()))
        for name, number in tally.tried.items():
            found.add(
                f"{name}: places, wrong ends",
                f"{number:,}, {tally.wrong[name]:,}",
                "all, 0",
                holds=not tally.wrong[name],
            )
        found.count("counters that are not the sum of their entries", place.counters_off())
        found.add("file", place.integrity(), "ok", holds=place.integrity() == "ok")
    return found


async def _all(
    client: aiohttp.ClientSession,
    proxy: FaultProxy,
    named: tuple[str, Way, str, Callable[[int], Fault]],
    offsets: list[int],
    found: Findings,
    tally: Tally,
) -> None:
    name, way, kind, spoil = named
    order = random.Random(name)  # noqa: S311 - the same each time
    order.shuffle(offsets)
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(offset: int) -> None:
        question = f"{kind} {name} {offset}"
        proxy.faults[question] = spoil(offset)
        async with turns:
            wrong = await way(client, proxy, question, PROVIDERS[order.randrange(len(PROVIDERS))])
        tally.tried[name] += 1
        if wrong is not None:
            tally.wrong[name] += 1
            found.blame(f"{name} at {offset}: {wrong}")

    await asyncio.gather(*map(one, offsets))


async def nothing_reserved(place: Place) -> None:
    """Wait until every call is settled; calls under way may take a while where others use the processors."""
    deadline = time.monotonic() + _SETTLED_SECONDS
    while left := place.unsettled():
        if time.monotonic() > deadline:
            raise AssertionError(f"{left} calls are never settled")
        await asyncio.sleep(0.05)
