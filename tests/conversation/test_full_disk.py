"""Turns whose store fails at their end: what came is kept, told honestly, and never holds up the program's end."""

import asyncio
from collections.abc import Sequence

from cores import Core, left_behind

from daehwa.conversation.errors import StoreError
from daehwa.conversation.events import Heartbeat, ReplyEnded, TextDelta, UsageReported
from daehwa.conversation.messages import Message
from daehwa.conversation.ports import Checkpoint
from daehwa.conversation.running import RunningTurns
from daehwa.conversation.stretch import StretchWish
from daehwa.providers.scripted import ScriptedProvider
from daehwa.stores.memory import MemoryStore


class FailingStore(MemoryStore):
    """A store whose disk is full for a while."""

    failures = 2

    async def finish_reply(self, reply: Message) -> None:
        if self.failures:
            self.failures -= 1
            raise StoreError("The disk is full.")
        await super().finish_reply(reply)

    async def save_checkpoints(self, checkpoints: Sequence[Checkpoint]) -> frozenset[str]:
        raise StoreError(f"The disk is full: {len(checkpoints)} checkpoints are not stored.")


class NothingInterrupted(MemoryStore):
    """A store whose disk is full when a reply is to be interrupted."""

    async def interrupt_replies(self, **_among: object) -> int:
        raise StoreError("The disk is full.")


async def test_a_full_disk_delays_the_end_and_loses_nothing() -> None:
    core = Core()
    core.store = FailingStore()
    core.running = RunningTurns(core.store, core.catalogue, runner="test", options=core.options)
    request = core.question("Keep me")
    await core.running.start(request)
    assert (await core.ended(request.reply)).status == "complete"
    assert (await core.store.get_message("me", request.reply)).text == "You said: Keep me"
    await core.running.aclose()


async def test_what_cannot_be_interrupted_on_a_full_disk_can_be_read() -> None:
    core = Core()
    core.store = NothingInterrupted()
    core.running = RunningTurns(core.store, core.catalogue, runner="test", options=core.options)
    request = core.question("Keep me")
    await core.store.begin_turn(left_behind(request, 1))
    _, messages = await core.running.read_conversation("me", request.conversation)
    assert [message.status for message in messages] == ["complete", "streaming"]
    assert len((await core.running.read_stretch("me", request.conversation, StretchWish(limit=9))).messages) == 2
    await core.running.aclose()


async def test_a_disk_that_stays_full_does_not_hold_up_the_programs_end() -> None:
    core = Core(ScriptedProvider([(TextDelta("half"),), asyncio.Event()]))
    core.store = FailingStore()
    core.store.failures = 10**6
    core.running = RunningTurns(core.store, core.catalogue, runner="test", options=core.options)
    request = core.question()
    await core.running.start(request)
    follower = core.running.follow("me", request.reply)
    await anext(follower)
    async with asyncio.timeout(6):
        await core.running.aclose()
    told = [each.event async for batch in follower for each in batch if not isinstance(each.event, Heartbeat)]
    assert [type(event) for event in told] == [UsageReported, ReplyEnded]
    assert isinstance(told[1], ReplyEnded)
    assert told[1].error is not None
    assert told[1].error.type == "store_unavailable"
