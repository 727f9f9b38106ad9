"""Turns where things meet: a start that is cancelled, an end in the middle of a start, a machine that slept."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from cores import Core, left_behind

from daehwa.conversation.errors import ModelNotFound, ReplyStillGrowing
from daehwa.conversation.events import Heartbeat, Numbered, ReplyEnded, TextDelta
from daehwa.conversation.ids import new_id, now_ms
from daehwa.conversation.messages import Message, TextPart
from daehwa.conversation.ports import BegunTurn, Checkpoint, GenerationRequest, NewTurn
from daehwa.conversation.running import RunningOptions, RunningTurns, TurnRequest
from daehwa.providers.scripted import Script, ScriptedProvider, Step
from daehwa.stores.memory import MemoryStore


class SlowStore(MemoryStore):
    """A store that tells of a commit only when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.committed = asyncio.Event()
        self.may_tell = asyncio.Event()

    async def begin_turn(self, turn: NewTurn) -> BegunTurn:
        begun = await super().begin_turn(turn)
        self.committed.set()
        await self.may_tell.wait()
        return begun


def a_slow_core(script: Script) -> tuple[Core, SlowStore]:
    core, store = Core(ScriptedProvider(script)), SlowStore()
    core.store = store
    core.running = RunningTurns(store, core.catalogue, runner="test", options=core.options)
    return core, store


async def test_a_turn_whose_caller_is_cancelled_while_it_is_stored_is_made_all_the_same() -> None:
    core, store = a_slow_core([(TextDelta("made"),)])
    request = core.question()
    caller = asyncio.create_task(core.running.start(request))
    await store.committed.wait()
    caller.cancel()
    await asyncio.wait([caller])
    store.may_tell.set()
    await core.running.start(request)
    assert (await core.ended(request.reply)).status == "complete"
    assert (await store.get_message("me", request.reply)).text == "made"
    await core.running.aclose()


async def test_a_turn_that_is_stored_while_the_program_ends_is_interrupted_before_the_end() -> None:
    core, store = a_slow_core([asyncio.Event()])
    request = core.question()
    caller = asyncio.create_task(core.running.start(request))
    await store.committed.wait()
    closing = asyncio.create_task(core.running.aclose())
    await asyncio.sleep(0)  # it begins, and waits for what is being stored
    store.may_tell.set()
    await closing
    assert (await caller).id == request.reply
    assert (len(core.running), (await store.get_message("me", request.reply)).status) == (0, "interrupted")


async def test_a_turn_that_is_begun_while_its_person_is_deleted_is_stopped_before_what_they_had_goes() -> None:
    core, store = a_slow_core([asyncio.Event()])
    request = core.question()
    caller = asyncio.create_task(core.running.start(request))
    await store.committed.wait()
    forgetting = asyncio.create_task(core.running.forget("me"))
    for _ in range(3):
        await asyncio.sleep(0)
    assert not forgetting.done(), "what is being stored would be there after all else is gone"
    store.may_tell.set()
    await forgetting
    assert (await caller).id == request.reply
    assert (await store.get_message("me", request.reply)).status == "stopped"
    await core.running.aclose()


async def test_a_title_that_is_being_made_does_not_hold_up_the_end() -> None:
    def script(request: GenerationRequest) -> list[Step]:
        return [asyncio.Event()] if request.max_output_tokens else [(TextDelta("Yes."),)]

    core = Core(ScriptedProvider(script), titles=True)
    request = core.question()
    await core.running.start(request)
    follower = core.running.follow("me", request.reply)
    while not isinstance((await anext(follower))[-1].event, ReplyEnded):
        pass
    await asyncio.wait_for(core.running.aclose(), 5)  # a title may take 20 s
    assert [each.event async for batch in follower for each in batch] == []
    assert (await core.store.get_message("me", request.reply)).status == "complete"
    assert core.provider.calls[-1].closed


class SlowlySavingStore(MemoryStore):
    """A store that stores a reply's end only when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()
        self.may_save = asyncio.Event()

    async def finish_reply(self, reply: Message) -> None:
        self.asked.set()
        await self.may_save.wait()
        await super().finish_reply(reply)


async def test_a_follower_is_told_the_end_only_when_it_is_stored() -> None:
    core, store = Core(ScriptedProvider([(TextDelta("all"),)])), SlowlySavingStore()
    core.running = RunningTurns(store, core.catalogue, runner="test", options=core.options)
    request = core.question()
    await core.running.start(request)
    await store.asked.wait()
    told = [each.event async for batch in _beats(core, request.reply, 3) for each in batch]
    assert [type(event) for event in told] == [TextDelta, Heartbeat, Heartbeat]
    stopping = asyncio.create_task(core.running.stop("me", request.reply))
    await asyncio.sleep(0)
    assert not stopping.done()
    store.may_save.set()
    assert (await stopping).status == "complete"
    assert (await store.get_message("me", request.reply)).status == "complete"
    await core.running.aclose()


async def _beats(core: Core, reply: str, count: int) -> AsyncIterator[list[Numbered]]:
    """The first batches of a reply."""
    follower = core.running.follow("me", reply)
    for _ in range(count):
        yield await anext(follower)


class BrokenStore(MemoryStore):
    """A store with a fault of its own."""

    async def finish_reply(self, reply: Message) -> None:
        raise ZeroDivisionError(reply.id)


async def test_nobody_is_told_that_a_reply_is_complete_which_is_not_stored(caplog: pytest.LogCaptureFixture) -> None:
    core = Core()
    core.store = BrokenStore()
    core.running = RunningTurns(core.store, core.catalogue, runner="test", options=core.options)
    request = core.question()
    await core.running.start(request)
    ended = await core.ended(request.reply)
    assert (ended.status, ended.error and ended.error.type) == ("failed", "store_unavailable")
    assert "ZeroDivisionError" in caplog.text
    await core.running.aclose()


async def test_what_is_made_here_is_not_taken_for_dead_after_the_machine_slept() -> None:
    gate = asyncio.Event()
    core = Core(ScriptedProvider([(TextDelta("before "),), gate, (TextDelta("after"),)]))
    quiet = RunningOptions(checkpoint=60.0, stale_after=0.05, store_poll=0.01)  # no tick comes before the sweep
    core.running = RunningTurns(core.store, core.catalogue, runner="test", options=quiet)
    request = core.question()
    await core.running.start(request)
    await anext(core.running.follow("me", request.reply))
    await asyncio.sleep(0.1)  # its only sign of life is now too old
    assert await core.running.interrupt_stale() == 0
    stored = await core.store.get_message("me", request.reply)
    assert (stored.status, stored.text) == ("streaming", "before ")
    gate.set()
    assert await core.ended(request.reply) == ReplyEnded("complete", "stop")
    await core.running.aclose()


async def test_a_reply_whose_last_sign_is_ahead_of_the_clock_locks_no_conversation(core: Core) -> None:
    request = core.question()
    await core.store.begin_turn(left_behind(request, now_ms() + 86_400_000))
    assert (await core.running.stop("me", request.reply)).status == "interrupted"
    other = core.question()
    await core.store.begin_turn(left_behind(other, now_ms() + 86_400_000))
    assert await core.running.interrupt_stale() == 1
    further = core.question(parent=other.reply, conversation=other.conversation)
    await core.running.start(further)
    assert (await core.ended(further.reply)).status == "complete"


@pytest.mark.parametrize("is_dead", [False, True])
async def test_a_question_follows_a_reply_whose_process_is_gone(core: Core, *, is_dead: bool) -> None:
    first = core.question()
    await core.store.begin_turn(left_behind(first, now_ms() - (60_000 if is_dead else 0)))
    further = core.question(parent=first.reply, conversation=first.conversation)
    if not is_dead:
        with pytest.raises(ReplyStillGrowing):
            await core.running.start(further)
        return
    await core.running.start(further)
    assert (await core.ended(further.reply)).status == "complete"
    assert (await core.store.get_message("me", first.reply)).status == "interrupted"


async def test_the_id_of_a_question_is_no_reply_that_is_there(core: Core) -> None:
    request = core.question()
    await core.running.start(request)
    await core.ended(request.reply)
    assert request.question is not None
    for conversation, reply in ((request.conversation, request.question.id), (new_id(), request.reply)):
        with pytest.raises(ModelNotFound):
            await core.running.start(TurnRequest(owner="me", conversation=conversation, reply=reply, model="gone"))


async def test_a_client_that_saw_more_than_is_stored_sees_nothing_twice(core: Core) -> None:
    request = core.question()
    await core.store.begin_turn(left_behind(request, now_ms()))
    await _stored(core, request, "0123")
    follower = core.running.follow("me", request.reply, after=7)  # told "012345" before the other process was asked
    assert [type(each.event) for each in await anext(follower)] == [Heartbeat]
    await _stored(core, request, "012345678")
    assert [each.event for each in await _news(follower)] == [TextDelta("678")]


async def _stored(core: Core, request: TurnRequest, text: str) -> None:
    """Let another process store how far its reply has grown."""
    grown = Checkpoint(
        reply=request.reply,
        conversation=request.conversation,
        parts=(TextPart(text),),
        position=1 + len(text),
        heartbeat=now_ms(),
    )
    await core.store.save_checkpoints([grown])


async def _news(follower: AsyncIterator[list[Numbered]]) -> list[Numbered]:
    """The next batch that is more than a heartbeat."""
    async for batch in follower:
        if not isinstance(batch[0].event, Heartbeat):
            return batch
    raise AssertionError("the stream has ended")


class HangingStore(MemoryStore):
    """A store that answers neither checkpoints nor final replies."""

    async def save_checkpoints(self, checkpoints: Sequence[Checkpoint]) -> frozenset[str]:
        del checkpoints
        await asyncio.Event().wait()
        return frozenset()

    async def finish_reply(self, reply: Message) -> None:
        del reply
        await asyncio.Event().wait()


async def test_a_store_that_hangs_holds_up_no_heartbeat_and_no_end() -> None:
    core = Core(ScriptedProvider([(TextDelta("Well"),), asyncio.Event()]))
    core.running = RunningTurns(HangingStore(), core.catalogue, runner="test", options=core.options)
    request = core.question()
    await core.running.start(request)
    follower = core.running.follow("me", request.reply)
    told = [(await anext(follower))[0].event for _ in range(4)]
    assert [type(event) for event in told] == [TextDelta, Heartbeat, Heartbeat, Heartbeat]
    async with asyncio.timeout(8):
        await core.running.aclose()
    rest = [each.event async for batch in follower for each in batch if not isinstance(each.event, Heartbeat)]
    assert [(type(event), event.status) for event in rest if isinstance(event, ReplyEnded)] == [(ReplyEnded, "failed")]


async def test_an_end_that_comes_while_the_store_hangs_is_not_held_up_either() -> None:
    core = Core(ScriptedProvider([(TextDelta("Well"),)]))
    core.running = RunningTurns(HangingStore(), core.catalogue, runner="test", options=core.options)
    request = core.question()
    await core.running.start(request)
    await asyncio.sleep(0.05)  # now it is being stored
    async with asyncio.timeout(8):
        await core.running.aclose()


class BrokenOnce(MemoryStore):
    """A store whose first checkpoints fail in a way that it does not announce."""

    rounds = 0

    async def save_checkpoints(self, checkpoints: Sequence[Checkpoint]) -> frozenset[str]:
        self.rounds += 1
        if self.rounds == 1:
            raise RuntimeError("a bug")
        return await super().save_checkpoints(checkpoints)


async def test_checkpoints_go_on_after_one_that_fails_in_an_unknown_way(caplog: pytest.LogCaptureFixture) -> None:
    core, store = Core(ScriptedProvider([(TextDelta("kept"),), asyncio.Event()])), BrokenOnce()
    core.running = RunningTurns(store, core.catalogue, runner="test", options=core.options)
    request = core.question()
    await core.running.start(request)
    while (await store.get_message("me", request.reply)).text != "kept":  # noqa: ASYNC110 - the store tells nobody
        await asyncio.sleep(0.01)
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [RuntimeError]
    await core.running.aclose()


class LateLists(MemoryStore):
    """A store whose list of dead replies is behind for some rounds."""

    asked = 0

    async def interrupt_replies(self, *, heartbeat_before: int, **among: Any) -> int:
        self.asked += 1
        return 0 if self.asked <= 3 else await super().interrupt_replies(heartbeat_before=heartbeat_before, **among)


async def test_a_dead_reply_that_no_list_shows_yet_is_waited_for_with_pauses() -> None:
    core, store = Core(), LateLists()
    core.running = RunningTurns(store, core.catalogue, runner="test", options=core.options)
    request = core.question()
    await store.begin_turn(left_behind(request, now_ms() - 31_000))
    began = asyncio.get_running_loop().time()
    assert (await core.ended(request.reply)).status == "interrupted"
    assert asyncio.get_running_loop().time() - began >= 3 * core.options.store_poll
    await core.running.aclose()
