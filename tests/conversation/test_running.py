"""Turns: they outlive their followers, stop at once, lose nothing, and happen once."""

import asyncio
from collections.abc import Sequence

import msgspec
import pytest
from cores import Core, a_core, left_behind, texts

from daehwa.conversation.errors import (
    InvalidParent,
    MessageNotFound,
    ModelNotFound,
    ProviderCutError,
    ProviderRateLimitError,
    StoreError,
)
from daehwa.conversation.events import (
    Finished,
    Heartbeat,
    ReasoningDelta,
    ReplyEnded,
    StreamedEvent,
    TextDelta,
    TitleMade,
    UsageReported,
)
from daehwa.conversation.ids import new_id, now_ms
from daehwa.conversation.messages import Failure, TextPart, Usage
from daehwa.conversation.ports import Checkpoint, GenerationRequest
from daehwa.conversation.running import RunningTurns, TurnRequest
from daehwa.conversation.turn import REPLY_CHARACTERS
from daehwa.providers.scripted import ScriptedProvider, Step, spoken


async def test_a_question_is_answered_and_stored(core: Core) -> None:
    request = core.question("Hi there")
    assert (await core.running.start(request)).status == "streaming"
    events = await core.events(request.reply)
    assert texts(events) == "You said: Hi there"
    assert events[-2:] == [UsageReported(Usage(input=4, output=4)), ReplyEnded("complete", "stop")]
    conversation, messages = await core.store.get_conversation("me", request.conversation)
    assert (conversation.title, conversation.leaf, conversation.model) == ("Hi there", request.reply, "scripted/parrot")
    assert [(m.role, m.text, m.status) for m in messages] == [
        ("user", "Hi there", "complete"),
        ("assistant", "You said: Hi there", "complete"),
    ]


async def test_a_turn_goes_on_when_its_follower_leaves() -> None:
    gate = asyncio.Event()
    async with a_core([(TextDelta("one "),), gate, (TextDelta("two"),), (Finished("stop"),)]) as core:
        request = core.question()
        await core.running.start(request)
        follower = core.running.follow("me", request.reply)
        assert texts([each.event for each in await anext(follower)]) == "one "
        await follower.aclose()  # type: ignore[attr-defined] # an async generator
        gate.set()
        assert texts(await core.events(request.reply)) == "one two"


async def test_followers_that_come_late_see_everything_and_the_end_comes_last() -> None:
    gate = asyncio.Event()
    async with a_core([(ReasoningDelta("hm"),), (TextDelta("one "),), gate, (TextDelta("two"),)]) as core:
        request = core.question()
        await core.running.start(request)
        early = asyncio.create_task(core.events(request.reply))
        await anext(core.running.follow("me", request.reply))
        late = asyncio.create_task(core.events(request.reply))
        await asyncio.sleep(0)
        gate.set()
        for events in (await early, await late):
            assert texts(events) == "one two"
            assert isinstance(events[-1], ReplyEnded)


async def test_a_client_resumes_after_any_position_without_loss_or_doubling(core: Core) -> None:
    request = core.question("a b c")
    await core.running.start(request)
    whole = await core.followed(request.reply)
    text = texts([each.event for each in whole])
    for position in range(1, whole[-1].position + 1):
        assert texts(await core.events(request.reply, after=position)) == text[position - 1 :]


async def test_the_same_turn_fifty_times_at_once_asks_once(core: Core) -> None:
    request = core.question()
    replies = await asyncio.gather(*(core.running.start(request) for _ in range(50)))
    assert {reply.id for reply in replies} == {request.reply}
    await core.ended(request.reply)
    await core.running.start(request)
    assert len(core.provider.requests) == 1


async def test_a_turn_that_is_there_is_followed_even_when_its_model_is_gone(core: Core) -> None:
    request = core.question()
    await core.running.start(request)
    await core.ended(request.reply)
    gone = TurnRequest(
        owner="me",
        conversation=request.conversation,
        reply=request.reply,
        model="gone",
        question=request.question,
    )
    assert (await core.running.start(gone)).status == "complete"
    with pytest.raises(ModelNotFound):
        await core.running.start(TurnRequest(owner="me", conversation=new_id(), reply=new_id(), model="gone"))


async def test_stop_ends_the_upstream_call_and_keeps_the_text() -> None:
    async with a_core([(TextDelta("half"),), asyncio.Event()]) as core:
        request = core.question()
        await core.running.start(request)
        await anext(core.running.follow("me", request.reply))
        stopped = await core.running.stop("me", request.reply)
        assert (stopped.status, stopped.text, stopped.finish) == ("stopped", "half", None)
        assert core.provider.calls[0].closed
        stored = await core.store.get_message("me", request.reply)
        assert msgspec.structs.replace(stored, heartbeat=stopped.heartbeat) == stopped
        assert await core.ended(request.reply) == ReplyEnded("stopped")


async def test_stop_before_the_first_step_still_ends_the_turn() -> None:
    async with a_core([asyncio.Event()]) as core:
        request = core.question()
        starting = asyncio.create_task(core.running.start(request))
        await asyncio.sleep(0)  # the start begins
        await asyncio.sleep(0)  # the turn is stored
        assert len(core.running) == 1
        await core.running.stop_all("me", request.conversation)
        assert (await starting).status == "streaming"
        assert (await core.store.get_message("me", request.reply)).status == "stopped"
        assert core.provider.requests == []


async def test_deleting_a_conversation_stops_what_is_written_in_it_alone() -> None:
    async with a_core([(TextDelta("half"),), asyncio.Event()]) as core:
        first, second = core.question(), core.question()
        await core.running.start(first)
        await core.running.start(second)
        await core.running.stop_all("somebody else", first.conversation)
        await core.running.stop_all("me", first.conversation)
        assert (await core.store.get_message("me", first.reply)).status == "stopped"
        assert (await core.store.get_message("me", second.reply)).status == "streaming"


async def test_stopping_what_has_ended_changes_nothing(core: Core) -> None:
    request = core.question()
    await core.running.start(request)
    await core.ended(request.reply)
    assert (await core.running.stop("me", request.reply)).status == "complete"


async def test_nobody_follows_or_stops_what_is_not_theirs() -> None:
    async with a_core([(TextDelta("mine"),), asyncio.Event()]) as core:
        request = core.question()
        await core.running.start(request)
        with pytest.raises(MessageNotFound):
            await core.running.stop("somebody else", request.reply)
        with pytest.raises(MessageNotFound):
            await anext(core.running.follow("somebody else", request.reply))
        assert core.provider.calls == [] or not core.provider.calls[0].closed


async def test_a_fault_before_any_text_fails_the_reply() -> None:
    async with a_core([ProviderRateLimitError("Wait.", retry_after=7)]) as core:
        request = core.question()
        await core.running.start(request)
        failure = Failure(type="upstream_rate_limit", message="Wait.", retry_after=7)
        assert await core.ended(request.reply) == ReplyEnded("failed", None, failure)
        assert (await core.store.get_message("me", request.reply)).error == failure


async def test_a_fault_after_text_interrupts_it_and_continue_goes_on() -> None:
    def script(request: GenerationRequest) -> Sequence[Step]:
        if request.messages[-1].text.startswith("Your answer above was cut off"):
            return spoken("and two.")
        return [(TextDelta("One "),), ProviderCutError("Cut.")]

    async with a_core(script) as core:
        request = core.question("Count")
        await core.running.start(request)
        assert (await core.ended(request.reply)).status == "interrupted"
        rest = TurnRequest(
            owner="me",
            conversation=request.conversation,
            reply=new_id(),
            parent=request.reply,
            continue_reply=True,
        )
        await core.running.start(rest)
        assert texts(await core.events(rest.reply)) == "and two."
        _, messages = await core.store.get_conversation("me", request.conversation)
        assert [m.text for m in messages] == ["Count", "One ", "and two."]
        assert [m.text for m in core.provider.requests[1].messages][:2] == ["Count", "One "]


async def test_an_unannounced_error_fails_the_reply_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with a_core([ZeroDivisionError("the person's secret")]) as core:
        request = core.question()
        await core.running.start(request)
        ended = await core.ended(request.reply)
        assert (ended.status, ended.error and ended.error.type) == ("failed", "upstream_error")
        assert "secret" not in str(ended)
        assert "ZeroDivisionError" in caplog.text


async def test_checkpoints_keep_what_has_come_and_heartbeats_go_on() -> None:
    async with a_core([(TextDelta("kept"),), asyncio.Event()]) as core:
        request = core.question()
        await core.running.start(request)
        follower = core.running.follow("me", request.reply)
        await anext(follower)
        seen = await anext(follower)
        assert [type(each.event) for each in seen] == [Heartbeat]
        stored = await core.store.get_message("me", request.reply)
        assert (stored.text, stored.status, stored.position) == ("kept", "streaming", 5)
        await anext(follower)
        assert ((await core.store.get_message("me", request.reply)).heartbeat or 0) > (stored.heartbeat or 0)


async def test_closing_interrupts_what_runs_and_keeps_its_text() -> None:
    core = Core(ScriptedProvider([(TextDelta("so far"),), asyncio.Event()]))
    request = core.question()
    await core.running.start(request)
    follower = core.running.follow("me", request.reply)
    await anext(follower)
    await core.running.aclose()
    assert [each.event async for batch in follower for each in batch][-1:] == [ReplyEnded("interrupted")]
    stored = await core.store.get_message("me", request.reply)
    assert (stored.status, stored.text) == ("interrupted", "so far")
    assert len(core.running) == 0
    with pytest.raises(StoreError):
        await core.running.start(core.question())


async def test_a_reply_of_another_process_is_followed_through_the_store(core: Core) -> None:
    gate = asyncio.Event()
    other = Core(ScriptedProvider([(TextDelta("from "),), gate, (TextDelta("elsewhere"),)]))
    other.running = RunningTurns(core.store, other.catalogue, runner="other", options=core.options)
    request = core.question()
    await other.running.start(request)
    follower = core.running.follow("me", request.reply)
    first: list[StreamedEvent] = []
    while not first:  # a busy machine looks into the store for longer than a heartbeat takes
        first = [each.event for each in await anext(follower) if not isinstance(each.event, Heartbeat)]
    assert texts(first) == "from "
    gate.set()
    rest = [each.event async for batch in follower for each in batch if not isinstance(each.event, Heartbeat)]
    assert texts(rest) == "elsewhere"
    assert isinstance(rest[-1], ReplyEnded)
    await other.running.aclose()


async def test_a_reply_of_another_process_is_stopped_through_the_store(core: Core) -> None:
    other = Core(ScriptedProvider([(TextDelta("talking"),), asyncio.Event()]))
    other.running = RunningTurns(core.store, other.catalogue, runner="other", options=core.options)
    request = core.question()
    await other.running.start(request)
    await core.running.stop("me", request.reply)
    assert (await core.ended(request.reply)).status == "stopped"
    await other.running.aclose()


async def test_a_reply_without_sign_of_life_is_interrupted_for_its_follower(core: Core) -> None:
    dead = now_ms() - 60_000
    request = core.question()
    await core.store.begin_turn(left_behind(request, dead))
    checkpoint = Checkpoint(
        reply=request.reply, conversation=request.conversation, parts=(TextPart("was "),), position=5, heartbeat=dead
    )
    await core.store.save_checkpoints([checkpoint])
    events = await core.events(request.reply)
    assert texts(events) == "was "
    assert events[-1] == ReplyEnded("interrupted")


async def test_the_first_exchange_gets_a_title_once_and_after_its_end() -> None:
    def script(request: GenerationRequest) -> Sequence[Step]:
        return spoken('"A fine name."') if request.max_output_tokens else spoken("Yes.")

    async with a_core(script, titles=True) as core:
        request = core.question("Will you?")
        await core.running.start(request)
        events = await core.events(request.reply)
        assert [type(event) for event in events[-2:]] == [ReplyEnded, TitleMade]
        assert events[-1] == TitleMade("A fine name", Usage(input=3, output=3))
        conversation, _ = await core.store.get_conversation("me", request.conversation)
        assert (conversation.title, conversation.title_source) == ("A fine name", "model")
        further = core.question("And now?", parent=request.reply, conversation=request.conversation)
        await core.running.start(further)
        assert isinstance((await core.events(further.reply))[-1], ReplyEnded)
        assert len(core.provider.requests) == 3


async def test_a_failing_title_leaves_the_answer_alone(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "daehwa")

    def script(request: GenerationRequest) -> Sequence[Step]:
        return [ProviderRateLimitError("Do not ask “Will you?”.")] if request.max_output_tokens else spoken("Yes.")

    async with a_core(script, titles=True) as core:
        request = core.question("Will you?")
        await core.running.start(request)
        assert (await core.events(request.reply))[-1] == ReplyEnded("complete", "stop")
        assert (await core.store.get_conversation("me", request.conversation))[0].title == "Will you?"
    assert "no title was made: upstream_rate_limit" in caplog.text
    assert "Will you?" not in caplog.text


async def test_a_reply_without_end_is_ended() -> None:
    async with a_core([(TextDelta("x" * 100_000),)] * 20) as core:
        request = core.question()
        await core.running.start(request)
        assert await core.ended(request.reply) == ReplyEnded("complete", "length")
        assert core.provider.calls[0].closed
        assert len((await core.store.get_message("me", request.reply)).text) <= REPLY_CHARACTERS + 100_000


async def test_a_turn_needs_a_question_or_a_parent(core: Core) -> None:
    with pytest.raises(InvalidParent):
        await core.running.start(TurnRequest(owner="me", conversation=new_id(), reply=new_id()))
