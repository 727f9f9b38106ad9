"""Turns that show large images wait in line for room: they are stored by then, beat, stop at once, and lose nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest
from cores import Core, texts
from images import large, shown

from daehwa.conversation.errors import ProviderCutError
from daehwa.conversation.events import Finished, Heartbeat, TextDelta
from daehwa.conversation.room import Room
from daehwa.conversation.running import RunningTurns, TurnRequest
from daehwa.providers.scripted import Script, ScriptedProvider

IMAGE = 600_000
SENT = 800_000
ROOM = 1_500_000
"""Of one person there is room for one such question at a time."""


@asynccontextmanager
async def narrow(script: Script) -> AsyncIterator[Core]:
    """A core with room for one large question."""
    core = Core(ScriptedProvider(script))
    core.running = RunningTurns(
        core.store, core.catalogue, runner="test", options=core.options, room=Room(ROOM, seconds=0.01)
    )
    try:
        yield core
    finally:
        await core.running.aclose()
    assert core.running.room.free == ROOM


def showing(core: Core, size: int = IMAGE) -> TurnRequest:
    request = core.question("What is it?")
    assert request.question is not None
    question = msgspec.structs.replace(request.question, images=(shown(large(size)),))
    return msgspec.structs.replace(request, question=question)


async def started(core: Core, *requests: TurnRequest) -> None:
    for request in requests:
        await core.running.start(request)
    await asyncio.sleep(0.05)


async def test_the_next_one_is_asked_once_the_first_answers() -> None:
    gate = asyncio.Event()
    async with narrow([gate, (TextDelta("A tree."),), (Finished("stop"),)]) as core:
        first, second = showing(core), showing(core)
        await started(core, first, second)
        assert len(core.provider.calls) == 1
        assert core.running.room.free == ROOM - SENT
        assert (await core.store.get_message("me", second.reply)).status == "streaming", "it is stored"
        gate.set()
        for request in (first, second):
            assert texts(await core.events(request.reply)) == "A tree."
        assert [len(call.images) for call in core.provider.requests] == [1, 1], "read again from where they are kept"


async def test_small_ones_do_not_wait() -> None:
    gate = asyncio.Event()
    async with narrow([gate, (TextDelta("A tree."),)]) as core:
        await started(core, showing(core), showing(core, 100_000), core.question())
        assert len(core.provider.calls) == 3
        gate.set()


async def test_who_follows_one_that_waits_hears_that_all_is_well() -> None:
    gate = asyncio.Event()
    async with narrow([gate, (TextDelta("A tree."),)]) as core:
        second = showing(core)
        await started(core, showing(core), second)
        async for batch in core.running.follow("me", second.reply):
            assert isinstance(batch[0].event, Heartbeat)
            break
        sign = (await core.store.get_message("me", second.reply)).heartbeat
        await asyncio.sleep(0.1)
        later = (await core.store.get_message("me", second.reply)).heartbeat
        assert sign is not None
        assert later is not None
        assert later > sign, "nobody takes it for left behind"
        gate.set()
        await core.ended(second.reply)


async def test_one_that_waits_stops_at_once_and_asks_nobody() -> None:
    gate = asyncio.Event()
    async with narrow([gate, (TextDelta("A tree."),)]) as core:
        second, third = showing(core), showing(core)
        await started(core, showing(core), second, third)
        stopped = await asyncio.wait_for(core.running.stop("me", second.reply), 1)
        assert (stopped.status, len(core.provider.calls)) == ("stopped", 1)
        gate.set()
        assert texts(await core.events(third.reply)) == "A tree."
        assert len(core.provider.calls) == 2


async def test_those_that_wait_are_interrupted_when_the_server_ends() -> None:
    async with narrow([asyncio.Event()]) as core:
        requests = [showing(core) for _ in range(3)]
        await started(core, *requests)
        await asyncio.wait_for(core.running.aclose(), 1)
        for request in requests:
            assert (await core.store.get_message("me", request.reply)).status == "interrupted"


@pytest.mark.parametrize("fault", [ProviderCutError("It broke off."), RuntimeError("A fault of ours.")])
async def test_a_failure_gives_its_share_back(fault: Exception) -> None:
    async with narrow([fault]) as core:
        requests = [showing(core) for _ in range(3)]
        await started(core, *requests)
        for request in requests:
            assert (await core.ended(request.reply)).status == "failed"


async def test_the_share_is_given_back_with_the_first_word() -> None:
    gate = asyncio.Event()
    async with narrow([(TextDelta("A "),), gate, (TextDelta("tree."),)]) as core:
        await started(core, showing(core), showing(core), showing(core))
        assert len(core.provider.calls) == 3, "though none of them has ended"
        assert core.running.room.free == ROOM
        gate.set()
