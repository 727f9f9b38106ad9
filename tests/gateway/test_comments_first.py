"""An upstream that begins with comments, over real sockets: how long they are kept back, and what follows them."""

import asyncio

import pytest
from gateway.two import COMMENT, GOOD, OVERLOADED, PATIENCE, SLOW, Two, ends_as_its_caller_leaves, whole
from upstream import CUT, DONE, ROLE, Answer, FakeUpstream, Step, error, stream, text

from daehwa.accounts.errors import PriceUnknown
from daehwa.conversation.errors import (
    ProviderError,
    ProviderMalformedError,
    ProviderRateLimitError,
    ProviderRefusedError,
    ProviderUnavailableError,
    ProviderUnreachableError,
)
from daehwa.conversation.metering import Outcome, PaidCall
from daehwa.gateway.answers import MOST_HELD_BYTES, StreamedAnswer
from daehwa.gateway.ports import KeptAnswer
from daehwa.gateway.undecided import UndecidedAnswer


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
        await ends_as_its_caller_leaves(two, asking, first, after=0.1)
        assert second.turns == []


async def test_no_more_is_held_than_may_be() -> None:
    never = asyncio.Event()
    many = COMMENT * (MOST_HELD_BYTES // len(COMMENT) + 1)
    async with FakeUpstream(Answer([many, never])) as first, FakeUpstream(GOOD) as second, Two(first, second) as two:
        async with asyncio.timeout(10):
            answer = await two.ask()
            assert isinstance(answer, StreamedAnswer)
            assert await answer.read()
        await answer.aclose()
