"""A call that one upstream cannot answer, over real sockets: who is asked next, and when nobody is."""

import asyncio

import msgspec
import pytest
from gateway.two import COMMENT, GOOD, OVERLOADED, Two, ends_as_its_caller_leaves, whole
from upstream import CUT, DONE, ROLE, Answer, FakeUpstream, Step, error, frame, text

from daehwa.conversation.errors import (
    ProviderCutError,
    ProviderUnavailableError,
)
from daehwa.conversation.messages import Usage
from daehwa.gateway.answers import StreamedAnswer
from daehwa.providers.gate import FAILURES

TOO_LONG = {"error": {"message": "This model's maximum context length is 8192 tokens.", "code": 400}}


@pytest.mark.parametrize(
    "bad",
    [
        error(429),
        error(500),
        error(401),
        error(404),
        error(402),
        error(424),
        error(498, "Full.", "capacity_exceeded"),
        error(413, "Limit 6000, requested 14137", "rate_limit_exceeded"),
        Answer([CUT], framing="raw"),
        Answer([CUT]),
        Answer([]),
        Answer([OVERLOADED]),
        Answer([b'{"error": {"message": "Overloaded.", "code": 502}}'], 200, {"content-type": "application/json"}),
        Answer([COMMENT, 0.02, OVERLOADED]),
        Answer([COMMENT + OVERLOADED]),
        Answer([OVERLOADED[:9], 0.02, OVERLOADED[9:]]),
        Answer([OVERLOADED[:-1], 0.02, OVERLOADED[-1:]]),
        Answer([COMMENT[:5], 0.02, COMMENT[5:], 0.02, CUT]),
        Answer([COMMENT]),
        Answer([5.0]),
        Answer(before=5.0),
    ],
    ids=[
        *("429", "500", "401", "404", "402", "424", "498", "413 of a minute"),
        *("hangs up", "hangs up after its head", "says nothing"),
        *("streams an error", "answers by an error"),
        *("comments and an error", "an error after a comment at once", "an error in two", "an error's last byte"),
        *("hangs up after a comment", "comments and ends"),
        *("silent after its head", "silent"),
    ],
)
@pytest.mark.parametrize("streamed", [True, False])
async def test_the_next_one_answers(bad: Answer, request: pytest.FixtureRequest, *, streamed: bool) -> None:
    was_at_work = "silent" in request.node.name  # it has read the prompt
    async with FakeUpstream(bad) as first, FakeUpstream(GOOD) as second, Two(first, second) as two:
        assert b"Hello" in await whole(await two.ask(streamed=streamed))
        assert [call.model for call in two.meter.calls] == ["one/gpt-test", "two/gpt-test"]
        assert [outcome.usage is not None for outcome in two.meter.outcomes] == [was_at_work, True]
        assert [state.calls for state in two.catalogue.upstreams()] == [0, 0]


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_a_request_that_is_at_fault_is_refused_once(status: int) -> None:
    async with FakeUpstream(error(status)) as first, FakeUpstream(GOOD) as second, Two(first, second) as two:
        answer = await two.ask()
        assert answer.status == status
        assert second.turns == []


async def test_nobody_waits_for_a_place_while_another_one_has_one() -> None:
    async with (
        FakeUpstream(Answer([ROLE, text("Hel"), 5.0])) as first,
        FakeUpstream(GOOD) as second,
        Two(first, second, max_concurrent=1) as two,
    ):
        held = await two.ask()
        assert isinstance(held, StreamedAnswer)
        async with asyncio.timeout(2):
            assert b"Hello" in await whole(await two.ask())
        await held.aclose()
        assert [call.model for call in two.meter.calls] == ["one/gpt-test", "two/gpt-test"]


async def test_nobody_else_is_asked_after_the_first_byte() -> None:
    async with (
        FakeUpstream(Answer([ROLE, text("Hel"), 0.02, CUT])) as first,
        FakeUpstream(GOOD) as second,
        Two(first, second) as two,
    ):
        answer = await two.ask()
        with pytest.raises(ProviderCutError):
            await whole(answer)
        assert second.turns == []


async def test_what_came_first_is_written_first() -> None:
    class Taking:
        def __init__(self) -> None:
            self.said = b""

        def write(self, piece: bytes) -> bool:
            self.said += piece
            return True

        async def drained(self) -> None:
            return

    said: list[Step] = [ROLE, text("Hello"), 0.02, text(" there."), DONE]
    async with FakeUpstream(Answer(said)) as first, FakeUpstream(GOOD) as second, Two(first, second) as two:
        answer = await two.ask()
        assert isinstance(answer, StreamedAnswer)
        sink = Taking()
        sink.write(await answer.forward(sink))
        await answer.aclose()
        assert sink.said == b"".join(piece for piece in said if isinstance(piece, bytes))


async def test_the_last_ones_answer_is_told_where_nobody_answers_and_open_circuits_answer_at_once() -> None:
    async with (
        FakeUpstream(error(500, "one")) as first,
        FakeUpstream(error(503, "two")) as second,
        Two(first, second) as two,
    ):
        for _ in range(FAILURES):
            answer = await two.ask()
            assert (answer.status, b"two" in await whole(answer)) == (503, True)
        with pytest.raises(ProviderUnavailableError, match="times in a row"):
            await two.ask()
        assert (len(first.turns), len(second.turns)) == (FAILURES, FAILURES)


async def test_a_caller_who_leaves_while_the_first_byte_is_waited_for_ends_the_call() -> None:
    never = asyncio.Event()
    async with FakeUpstream(Answer([never])) as first, FakeUpstream(GOOD) as second, Two(first, second) as two:
        asking = asyncio.create_task(two.ask())
        await ends_as_its_caller_leaves(two, asking, first, after=0.02)
        assert second.turns == []


@pytest.mark.parametrize(
    "refusal",
    [
        Answer([frame(TOO_LONG)]),
        Answer([COMMENT, 0.02, frame(TOO_LONG)]),
        Answer([msgspec.json.encode(TOO_LONG)], 200, {"content-type": "application/json"}),
        error(400, "too long", "context_length_exceeded"),
    ],
    ids=["event", "event after a comment", "200", "400"],
)
async def test_a_prompt_that_is_too_long_is_its_callers_to_shorten_however_that_is_said(refusal: Answer) -> None:
    async with FakeUpstream(refusal) as first, FakeUpstream(GOOD) as second, Two(first, second) as two:
        said = await whole(await two.ask())
        assert b"maximum context length" in said or b"context_length_exceeded" in said
        assert second.turns == []
        assert [outcome.usage for outcome in two.meter.outcomes] == [None]


async def test_what_came_is_counted_though_its_caller_left_before_reading_it() -> None:
    said = text("Hello there, and much more.") + frame(
        {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 900}}
    )
    async with FakeUpstream(Answer([said, 5.0])) as first, FakeUpstream(GOOD) as second, Two(first, second) as two:
        answer = await two.ask()
        assert isinstance(answer, StreamedAnswer)
        await answer.aclose()
        (outcome,) = two.meter.outcomes
        assert outcome.usage == Usage(input=7, output=900)
