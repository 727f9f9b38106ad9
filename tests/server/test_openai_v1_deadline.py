"""Calls of other programs in a process that will be stopped at a known time: they end before, with a word, counted."""

import asyncio
import gc
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cores import Core
from gateway.bed import Bed
from server.serving import Site, serving

from daehwa.conversation.deadline import BEFORE_DEADLINE_SECONDS
from daehwa.conversation.errors import TimeIsUp
from daehwa.conversation.ids import now_ms
from daehwa.gateway.scripted import ScriptedAnswer
from daehwa.gateway.under_way import CallsUnderWay

pytestmark = pytest.mark.both_loops

CHAT: dict[str, Any] = {"model": "parrot", "messages": [{"role": "user", "content": "Hi"}]}
CHUNK = b'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'
SSE = {"content-type": "text/event-stream"}


def due(seconds: float) -> dict[str, str]:
    """What the adapter says where a call must have ended in so many seconds."""
    deadline = now_ms() + round((seconds + BEFORE_DEADLINE_SECONDS) * 1000)
    return {"x-amzn-lambda-context": json.dumps({"deadline": deadline})}


def stays(bed: Bed, *pieces: bytes, headers: dict[str, str] = SSE) -> None:
    """Let the upstream say this much, and then nothing for ever."""
    bed.models.all[0].script = lambda _request: ScriptedAnswer([*pieces, asyncio.Event()], headers=headers)


@pytest.fixture
def bed() -> Bed:
    return Bed()


@pytest.fixture
async def site(bed: Bed, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Site]:
    async with serving(Core(), tmp_path, home="aws", programs=bed.programs(home="aws")) as made:
        yield made
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_a_stream_ends_with_an_error_of_its_own_and_is_counted_as_far_as_it_came(site: Site, bed: Bed) -> None:
    stays(bed, CHUNK, CHUNK)
    async with asyncio.timeout(3):
        answer = await site.client.post("/v1/chat/completions", json={**CHAT, "stream": True}, headers=due(0.3))
        said = await answer.text()
    assert answer.status == 200
    assert said.startswith((CHUNK * 2).decode())
    error = json.loads(said.removeprefix((CHUNK * 2).decode()).removeprefix("data: "))["error"]
    assert (error["type"], error["code"], error["param"]) == ("server_error", "time_is_up", None)
    assert error["message"].endswith(".")
    assert bed.models.all[0].answers[0].is_closed, "the upstream call was ended"
    (outcome,) = bed.meter.outcomes
    assert outcome.usage is not None
    assert (outcome.usage.output, outcome.usage.estimated) == (2, True)


@pytest.mark.parametrize("seconds", [0.2, -60])
async def test_a_call_that_waits_is_refused_and_not_to_be_made_again(site: Site, bed: Bed, seconds: float) -> None:
    stays(bed, headers={"content-type": "application/json"})
    async with asyncio.timeout(3):
        answer = await site.client.post("/v1/chat/completions", json=CHAT, headers=due(seconds))
    assert (answer.status, answer.headers["x-should-retry"]) == (504, "false")
    assert (await answer.json())["error"]["code"] == "time_is_up"
    assert all(outcome.usage is not None for outcome in bed.meter.outcomes), "the upstream has read the prompt"
    assert len(bed.meter.outcomes) == len(bed.models.all[0].requests)


async def test_a_stream_that_has_said_nothing_yet_ends_too(site: Site, bed: Bed) -> None:
    stays(bed)
    async with asyncio.timeout(3):
        answer = await site.client.post("/v1/chat/completions", json={**CHAT, "stream": True}, headers=due(0.2))
        assert '"code":"time_is_up"' in await answer.text()
    (outcome,) = bed.meter.outcomes
    assert outcome.usage is not None


async def test_its_key_is_free_again(site: Site, bed: Bed) -> None:
    stays(bed, CHUNK)
    body, once = {**CHAT, "stream": True}, {"idempotency-key": "one"}
    async with asyncio.timeout(3):
        answer = await site.client.post("/v1/chat/completions", json=body, headers=due(0.2) | once)
        assert "time_is_up" in await answer.text()
    bed.models.all[0].script = lambda _request: ScriptedAnswer([CHUNK, b"data: [DONE]\n\n"], headers=SSE)
    answer = await site.client.post("/v1/chat/completions", json=body, headers=once)
    assert (await answer.text()).endswith("data: [DONE]\n\n")


async def test_the_classic_dialect_says_it_in_its_own_shape(site: Site, bed: Bed) -> None:
    stays(bed, headers={"content-type": "application/json"})
    async with asyncio.timeout(3):
        status, said = await site.call("POST", "/chat", {"text": "Hi"}, headers=due(0.2))
    assert (status, said["statusCode"]) == (200, 504)


async def test_a_call_that_ends_by_itself_leaves_no_timer() -> None:
    calls = CallsUnderWay()
    kind = type(calls.one(deadline=0))
    with calls.one(deadline=now_ms() + 3_600_000):
        assert any(type(each) is kind for each in gc.get_objects())
    gc.collect()
    assert not any(type(each) is kind for each in gc.get_objects()), "a timer would hold it for an hour"


async def test_elsewhere_the_header_is_nobodys_word(bed: Bed, tmp_path: Path) -> None:
    async with serving(Core(), tmp_path, programs=bed.programs()) as site:
        answer = await site.client.post("/v1/chat/completions", json=CHAT, headers=due(-60))
        assert answer.status == 200


async def _slow_to_end(calls: CallsUnderWay, cancelled: asyncio.Event) -> None:
    with calls.one(deadline=0):
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
            await asyncio.sleep(0.05)


async def test_who_ends_a_call_that_is_late_already_is_heard() -> None:
    calls, cancelled = CallsUnderWay(), asyncio.Event()
    late = asyncio.create_task(_slow_to_end(calls, cancelled))
    with pytest.raises(TimeIsUp):
        await late
    cancelled.clear()
    left = asyncio.create_task(_slow_to_end(calls, cancelled))
    await cancelled.wait()
    left.cancel()
    with pytest.raises(asyncio.CancelledError):
        await left
    cancelled.clear()
    ended = asyncio.create_task(_slow_to_end(calls, cancelled))
    await cancelled.wait()
    calls.end()
    with pytest.raises(TimeIsUp):  # the first word counts
        await ended
