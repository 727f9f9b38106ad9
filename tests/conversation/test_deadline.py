"""A process that will be stopped at a known time, and one that was: all ends, or is found ended, in good order."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

import msgspec
import pytest
from cores import Core, a_core, left_behind, texts

from daehwa.conversation.errors import ConversationNotFound, StoreError
from daehwa.conversation.events import TextDelta
from daehwa.conversation.ids import now_ms
from daehwa.conversation.messages import Conversation, Message
from daehwa.conversation.ports import GenerationRequest
from daehwa.conversation.running import RunningOptions, RunningTurns, TurnRequest
from daehwa.conversation.stretch import StretchWish
from daehwa.providers.scripted import Step, spoken
from daehwa.stores.memory import MemoryStore

Read: TypeAlias = Callable[[Core, str, str], Awaitable[tuple[Conversation, tuple[Message, ...]]]]


def endless(_request: GenerationRequest) -> list[Step]:
    return [(TextDelta("As far as"),), asyncio.Event()]


class BrokenAtTheEnd(MemoryStore):
    """A store that cannot store a final reply; `tried` counts."""

    tried = 0

    async def finish_reply(self, reply: Message) -> None:
        del reply
        self.tried += 1
        raise StoreError("It is out of order.")


def due(request: TurnRequest, core: Core, *, seconds: float) -> TurnRequest:
    """The request with a deadline, so that its turn must have ended in so many seconds."""
    return msgspec.structs.replace(request, deadline=now_ms() + round((seconds + core.options.before_deadline) * 1000))


async def test_a_turn_ends_before_its_deadline_and_says_so_and_can_be_continued() -> None:
    async with a_core(endless) as core:
        request = due(core.question(), core, seconds=0.1)
        await core.running.start(request)
        events = await core.followed(request.reply)
        assert texts([each.event for each in events]) == "As far as"
        stored = await core.store.get_message("me", request.reply)
        assert (stored.status, stored.text) == ("interrupted", "As far as")
        assert stored.error is not None
        assert stored.error.type == "time_is_up"
        assert core.provider.calls[0].closed, "the upstream call was ended"
        await asyncio.sleep(0)  # the task's own last step
        assert len(core.running) == 0
        core.provider.script = spoken("it goes")
        rest = TurnRequest(
            owner="me", conversation=request.conversation, reply=core.question().reply, parent=request.reply,
            continue_reply=True,
        )  # fmt: skip
        await core.running.start(rest)
        assert (await core.ended(rest.reply)).status == "complete"


async def test_a_deadline_that_is_over_ends_the_turn_at_once() -> None:
    async with a_core(endless) as core:
        request = due(core.question(), core, seconds=-60)
        await core.running.start(request)
        ended = await core.ended(request.reply)
        assert ended.status == "interrupted"
        assert ended.error is not None
        assert ended.error.type == "time_is_up"


async def test_a_turn_that_ends_by_itself_leaves_no_timer() -> None:
    async with a_core(spoken("Done")) as core:
        request = due(core.question(), core, seconds=0.2)
        await core.running.start(request)
        assert (await core.ended(request.reply)).status == "complete"
        await asyncio.sleep(0.3)
        assert (await core.store.get_message("me", request.reply)).status == "complete"


@pytest.mark.parametrize(("seconds", "asked"), [(2.5, 1), (60, 2)])
async def test_a_title_is_not_begun_where_no_time_is_left_for_it(seconds: float, asked: int) -> None:
    async with a_core(spoken("An answer"), titles=True) as core:
        request = due(core.question(), core, seconds=seconds)
        await core.running.start(request)
        await core.events(request.reply)
        assert len(core.provider.calls) == asked


async def test_a_title_in_the_making_is_given_up_at_the_deadline() -> None:
    def script(request: GenerationRequest) -> Sequence[Step]:
        return [asyncio.Event()] if "Name the conversation" in request.messages[0].text else spoken("An answer")

    async with a_core(script, titles=True) as core:
        core.options = RunningOptions(before_deadline=0.0)
        core.running = RunningTurns(core.store, core.catalogue, runner="test", options=core.options)
        request = due(core.question(), core, seconds=3.2)
        await core.running.start(request)
        await core.events(request.reply)
        assert (await core.store.get_message("me", request.reply)).status == "complete"
        assert [call.closed for call in core.provider.calls] == [False, True]


async def test_when_a_followers_stream_has_ended_nothing_goes_on() -> None:
    async with a_core(spoken("An answer"), titles=True) as core:
        request = core.question()
        await core.running.start(request)
        await core.events(request.reply)
        await asyncio.sleep(0)  # the task's own last step
        assert len(core.running) == 0
        left = {task.get_name() for task in asyncio.all_tasks()} - {asyncio.current_task().get_name()}  # type: ignore[union-attr]  # a test runs in a task
        assert left <= {"checkpoints of all turns"}, "its next step only finds that there is nothing to do"


async def test_a_save_that_fails_at_the_deadline_is_not_tried_for_a_minute() -> None:
    async with a_core(endless) as core:
        core.store = store = BrokenAtTheEnd()
        core.running = RunningTurns(store, core.catalogue, runner="test", options=core.options)
        request = due(core.question(), core, seconds=0.05)
        await core.running.start(request)
        async with asyncio.timeout(10):
            assert (await core.ended(request.reply)).status == "failed"
        assert store.tried == 4


# ---------------------------------------------------------------- found by whoever reads


async def whole(core: Core, owner: str, conversation: str) -> tuple[Conversation, tuple[Message, ...]]:
    return await core.running.read_conversation(owner, conversation)


async def stretch(core: Core, owner: str, conversation: str) -> tuple[Conversation, tuple[Message, ...]]:
    found = await core.running.read_stretch(owner, conversation, StretchWish(limit=1))
    return found.conversation, found.messages


reading = pytest.mark.parametrize("read", [whole, stretch])


@reading
async def test_a_reader_of_a_conversation_finds_its_dead_replies_interrupted(core: Core, read: Read) -> None:
    request = core.question("Still there?")
    await core.store.begin_turn(left_behind(request, now_ms() - 31_000))
    conversation, messages = await read(core, "me", request.conversation)
    assert conversation.id == request.conversation
    assert [message.status for message in messages] == ["complete", "interrupted"]
    assert (await core.store.get_message("me", request.reply)).status == "interrupted"


@reading
async def test_a_reader_leaves_alone_what_another_process_makes(core: Core, read: Read) -> None:
    request = core.question()
    await core.store.begin_turn(left_behind(request, now_ms() - 20_000))
    _, messages = await read(core, "me", request.conversation)
    assert messages[-1].status == "streaming"


@reading
async def test_a_reader_sees_only_what_is_theirs(core: Core, read: Read) -> None:
    request = core.question()
    await core.store.begin_turn(left_behind(request, now_ms() - 31_000))
    with pytest.raises(ConversationNotFound):
        await read(core, "you", request.conversation)
    assert (await core.store.get_message("me", request.reply)).status == "streaming"
