"""A call that one upstream cannot answer, over real sockets: who is asked next, and when nobody is."""

import asyncio
from collections.abc import AsyncIterator
from typing import Self

import msgspec
import pytest
from gateway.bed import OWNER, RememberingMeter
from upstream import CUT, DONE, ROLE, Answer, FakeUpstream, Step, error, frame, stream, text

from daehwa.accounts.errors import PriceUnknown
from daehwa.accounts.keys import Caller
from daehwa.conversation.errors import (
    ProviderCutError,
    ProviderError,
    ProviderMalformedError,
    ProviderRateLimitError,
    ProviderRefusedError,
    ProviderUnavailableError,
    ProviderUnreachableError,
)
from daehwa.conversation.messages import Usage
from daehwa.conversation.metering import Outcome, PaidCall
from daehwa.gateway.answers import MOST_HELD_BYTES, StreamedAnswer, Streaming
from daehwa.gateway.answers import Answer as GatewayAnswer
from daehwa.gateway.asking import JsonAsked
from daehwa.gateway.calls import Gateway
from daehwa.gateway.idempotency import OnceOnly
from daehwa.gateway.ports import KeptAnswer
from daehwa.gateway.rates import Rates
from daehwa.gateway.undecided import UndecidedAnswer
from daehwa.providers.catalogue import Catalogue
from daehwa.providers.gate import FAILURES
from daehwa.providers.openai_wire import OpenAIWireProvider
from daehwa.providers.routes import ModelRoute, RouteTarget
from daehwa.providers.upstream import Patience, Upstream
from daehwa.stores.memory_answers import MemoryAnswers
from daehwa.stores.memory_rates import MemoryRates

GOOD = Answer(stream("Hello there."))
PATIENCE = Patience(first_byte=0.1, idle=1.0)
FAST = ModelRoute("fast", (RouteTarget("one/gpt-test"), RouteTarget("two/gpt-test")))


COMMENT = b": OPENROUTER PROCESSING\n\n"
OVERLOADED = frame({"error": {"message": "Overloaded.", "code": 502}})
TOO_LONG = {"error": {"message": "This model's maximum context length is 8192 tokens.", "code": 400}}


class Two:
    """A gateway before two upstreams, which an alias names in this order."""

    def __init__(
        self,
        first: FakeUpstream,
        second: FakeUpstream,
        *,
        max_concurrent: int | None = None,
        comment_seconds: float = 0.05,
    ) -> None:
        self.meter = RememberingMeter()
        self.once = OnceOnly(MemoryAnswers(), wait_seconds=0.1)
        providers = [
            OpenAIWireProvider(
                Upstream(name="one", base_url=first.base_url, patience=PATIENCE, max_concurrent=max_concurrent)
            ),
            OpenAIWireProvider(Upstream(name="two", base_url=second.base_url, patience=PATIENCE)),
        ]
        self.catalogue = Catalogue(providers, routes=[FAST])
        self.gateway = Gateway(
            self.catalogue, self.meter, Rates(MemoryRates()), self.once, comment_seconds=comment_seconds
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.catalogue.aclose()

    async def ask(self, *, streamed: bool = True, key: str | None = None) -> GatewayAnswer:
        body = msgspec.json.encode(
            {"model": "fast", "stream": streamed, "messages": [{"role": "user", "content": "?"}]}
        )
        return await self.gateway.ask(Caller(user=OWNER), JsonAsked("chat/completions", body), idempotency_key=key)


async def whole(answer: GatewayAnswer) -> bytes:
    if isinstance(answer, KeptAnswer):
        return answer.body
    try:
        return b"".join([piece async for piece in _pieces(answer)])
    finally:
        await answer.aclose()


async def _pieces(answer: Streaming) -> AsyncIterator[bytes]:
    while piece := await answer.read():
        yield piece


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
        Answer([frame({"error": {"message": "Overloaded.", "code": 502}})]),
        Answer([b'{"error": {"message": "Overloaded.", "code": 502}}'], 200, {"content-type": "application/json"}),
        Answer([COMMENT, 0.02, frame({"error": {"message": "Overloaded.", "code": 502}})]),
        Answer([COMMENT + frame({"error": {"message": "Overloaded.", "code": 502}})]),
        Answer([OVERLOADED[:9], 0.02, OVERLOADED[9:]]),
        Answer([OVERLOADED[:-1], 0.02, OVERLOADED[-1:]]),
        Answer([COMMENT[:5], 0.02, COMMENT[5:], 0.02, CUT]),
        Answer([COMMENT]),
        Answer([5.0]),
        Answer(before=5.0),
    ],
    ids=[
        *(
            "429",
            "500",
            "401",
            "404",
            "402",
            "424",
            "498",
            "413 of a minute",
            "hangs up",
            "hangs up after its head",
            "says nothing",
        ),
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
        request = await first.turn()
        await asyncio.sleep(0.02)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        async with asyncio.timeout(30):
            await request.closed.wait()
        assert second.turns == []
        assert [state.calls for state in two.catalogue.upstreams()] == [0, 0]


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


async def test_the_first_token_waits_for_nothing_after_a_comment() -> None:
    never = asyncio.Event()
    async with (
        FakeUpstream(Answer([COMMENT, ROLE, text("Hel"), never])) as first,
        FakeUpstream(GOOD) as second,
        Two(first, second, comment_seconds=60.0) as two,
    ):
        answer = await two.ask()
        assert isinstance(answer, StreamedAnswer)
        assert (await answer.read()).startswith(COMMENT + ROLE)
        await answer.aclose()


SLOW: list[Step] = [COMMENT, 0.08, COMMENT, 0.08]


@pytest.mark.parametrize("pause", [0.01, 0.03])
async def test_comments_that_keep_coming_are_held_no_longer(pause: float) -> None:
    many = [step for _ in range(int(1.5 / pause)) for step in (COMMENT, pause)]
    async with (
        FakeUpstream(Answer([*many, OVERLOADED])) as first,
        FakeUpstream(GOOD) as second,
        Two(first, second) as two,
    ):
        async with asyncio.timeout(1.2):
            answer = await two.ask()
        assert isinstance(answer, UndecidedAnswer)
        assert (await answer.read()).startswith(COMMENT)
        assert second.turns == []
        assert b"Hello" in await whole(answer)


async def test_comments_go_on_with_the_head_and_are_not_kept_back_twice() -> None:
    never = asyncio.Event()
    async with (
        FakeUpstream(Answer([COMMENT, never])) as first,
        FakeUpstream(GOOD) as second,
        Two(first, second, comment_seconds=0.6 * PATIENCE.idle) as two,
    ):
        answer = await two.ask()
        assert isinstance(answer, UndecidedAnswer)
        assert await answer.read() == COMMENT  # after as long again, nobody would be waited for any more
        await answer.aclose()


@pytest.mark.parametrize("end", [OVERLOADED, CUT])
async def test_comments_that_went_out_are_followed_by_the_next_ones_answer(end: Step) -> None:
    async with (
        FakeUpstream(Answer([*SLOW, end])) as first,
        FakeUpstream(GOOD, GOOD) as second,
        Two(first, second) as two,
    ):
        answer = await two.ask(key="once")
        assert isinstance(answer, UndecidedAnswer)
        assert second.turns == []
        said = await whole(answer)
        assert said.startswith(COMMENT)
        assert said.endswith(DONE)
        assert (said.count(b"Hello"), said.count(b'"finish_reason":"stop"')) == (1, 1)
        assert b"Overloaded" not in said
        assert [(call.model, outcome.usage is not None) for call, outcome in _made(two)] == [
            ("one/gpt-test", False),
            ("two/gpt-test", True),
        ]
        kept = await two.ask(key="once")
        assert isinstance(kept, KeptAnswer)
        assert kept.body == said
        assert len(second.turns) == 1


def _made(two: Two) -> list[tuple[PaidCall, Outcome]]:
    return list(zip(two.meter.calls, two.meter.outcomes, strict=True))


async def test_comments_that_went_out_may_be_followed_by_the_firsts_own_answer() -> None:
    async with (
        FakeUpstream(Answer([*SLOW, *stream("Hello there.")])) as first,
        FakeUpstream(GOOD) as second,
        Two(first, second) as two,
    ):
        answer = await two.ask(key="once")
        assert isinstance(answer, UndecidedAnswer)
        assert b"Hello" in await whole(answer)
        assert second.turns == []
        assert answer.is_whole


@pytest.mark.parametrize(
    ("refusal", "fault"),
    [
        (error(429, "Slow down."), ProviderRateLimitError),
        (error(503, "Slow down."), ProviderUnavailableError),
        (error(400, "Slow down."), ProviderRefusedError),
        (Answer([b"{}"], 200, {"content-type": "application/json"}), ProviderMalformedError),
        (Answer([CUT], framing="raw"), ProviderUnreachableError),
    ],
)
async def test_a_refusal_after_comments_is_an_error_and_the_key_is_free_again(
    refusal: Answer, fault: type[ProviderError]
) -> None:
    async with (
        FakeUpstream(Answer([*SLOW, OVERLOADED]), GOOD) as first,
        FakeUpstream(*[refusal] * 3) as second,
        Two(first, second) as two,
    ):
        answer = await two.ask(key="once")
        with pytest.raises(fault):
            await whole(answer)
        assert [state.calls for state in two.catalogue.upstreams()] == [0, 0]
        assert b"Hello" in await whole(await two.ask(key="once"))


async def test_no_room_for_the_next_one_is_said_after_comments() -> None:
    async with (
        FakeUpstream(Answer([*SLOW, OVERLOADED])) as first,
        FakeUpstream(GOOD) as second,
        Two(first, second) as two,
    ):
        answer = await two.ask()
        two.meter.refusal = PriceUnknown("two/gpt-test")
        with pytest.raises(PriceUnknown):
            await whole(answer)
        assert second.turns == []


async def test_a_caller_who_leaves_between_comments_ends_the_call() -> None:
    never = asyncio.Event()
    async with (
        FakeUpstream(Answer([COMMENT, never])) as first,
        FakeUpstream(GOOD) as second,
        Two(first, second) as two,
    ):
        answer = await two.ask(key="once")
        asking = asyncio.create_task(whole(answer))
        request = await first.turn()
        await asyncio.sleep(0.1)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        async with asyncio.timeout(30):
            await request.closed.wait()
        assert second.turns == []
        assert [state.calls for state in two.catalogue.upstreams()] == [0, 0]


async def test_no_more_is_held_than_may_be() -> None:
    never = asyncio.Event()
    many = COMMENT * (MOST_HELD_BYTES // len(COMMENT) + 1)
    async with FakeUpstream(Answer([many, never])) as first, FakeUpstream(GOOD) as second, Two(first, second) as two:
        async with asyncio.timeout(10):
            answer = await two.ask()
            assert isinstance(answer, StreamedAnswer)
            assert await answer.read()
        await answer.aclose()


SOUND = {"content-type": "audio/mpeg"}
SPEECH = msgspec.json.encode({"model": "fast", "input": "Hello", "voice": "coral"})


@pytest.mark.parametrize(
    "bad",
    [
        error(503),
        error(402),
        Answer([CUT], 200, SOUND),
        Answer([5.0], 200, SOUND),
        Answer([b'{"error": {"message": "Overloaded."}}'], 200, {"content-type": "application/json"}),
    ],
    ids=["503", "402", "cut before it began", "silent", "answers by an error"],
)
async def test_who_cannot_speak_is_followed_by_who_can(bad: Answer) -> None:
    good = Answer([b"ID3", 0.02, b"\n\ndata: sound"], 200, SOUND)
    async with FakeUpstream(bad) as first, FakeUpstream(good) as second, Two(first, second) as two:
        answer = await two.gateway.ask(Caller(user=OWNER), JsonAsked("audio/speech", SPEECH))
        assert await whole(answer) == b"ID3\n\ndata: sound"
        assert [call.model for call in two.meter.calls] == ["one/gpt-test", "two/gpt-test"]
        assert two.meter.outcomes[-1].usage is not None


async def test_sound_is_handed_on_with_its_first_byte() -> None:
    never = asyncio.Event()
    said = Answer([b"I", never], 200, SOUND)
    async with FakeUpstream(said) as first, FakeUpstream(GOOD) as second, Two(first, second) as two:
        answer = await two.gateway.ask(Caller(user=OWNER), JsonAsked("audio/speech", SPEECH))
        assert isinstance(answer, StreamedAnswer)
        assert await answer.read() == b"I"
        await answer.aclose()
        assert second.turns == []
        (outcome,) = two.meter.outcomes
        assert outcome.usage is not None
        assert (outcome.usage.estimated, outcome.usage.output) == (True, 7)


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


async def test_sound_does_not_go_on_in_a_stream_of_events() -> None:
    never = asyncio.Event()
    async with (
        FakeUpstream(Answer([*SLOW, OVERLOADED])) as first,
        FakeUpstream(Answer([b"ID3", never], 200, SOUND)) as second,
        Two(first, second) as two,
    ):
        answer = await two.gateway.ask(Caller(user=OWNER), JsonAsked("audio/speech", SPEECH))
        assert isinstance(answer, UndecidedAnswer)
        with pytest.raises(ProviderMalformedError, match="no stream of events"):
            await whole(answer)
        assert [state.calls for state in two.catalogue.upstreams()] == [0, 0]
        assert two.meter.outcomes[-1].usage is not None  # it was at work
