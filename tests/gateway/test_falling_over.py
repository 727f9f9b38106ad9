"""A call that one upstream cannot answer, over real sockets: who is asked next, and when nobody is."""

import asyncio
from collections.abc import AsyncIterator
from typing import Self

import msgspec
import pytest
from gateway.bed import OWNER, RememberingMeter
from upstream import CUT, DONE, ROLE, Answer, FakeUpstream, Step, error, frame, stream, text

from daehwa.accounts.keys import Caller
from daehwa.conversation.errors import ProviderCutError, ProviderUnavailableError
from daehwa.gateway.answers import Answer as GatewayAnswer
from daehwa.gateway.answers import StreamedAnswer
from daehwa.gateway.asking import JsonAsked
from daehwa.gateway.calls import Gateway
from daehwa.gateway.idempotency import OnceOnly
from daehwa.gateway.ports import KeptAnswer
from daehwa.gateway.rates import Rates
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


class Two:
    """A gateway before two upstreams, which an alias names in this order."""

    def __init__(self, first: FakeUpstream, second: FakeUpstream, *, max_concurrent: int | None = None) -> None:
        self.meter = RememberingMeter()
        providers = [
            OpenAIWireProvider(
                Upstream(name="one", base_url=first.base_url, patience=PATIENCE, max_concurrent=max_concurrent)
            ),
            OpenAIWireProvider(Upstream(name="two", base_url=second.base_url, patience=PATIENCE)),
        ]
        self.catalogue = Catalogue(providers, routes=[FAST])
        self.gateway = Gateway(self.catalogue, self.meter, Rates(MemoryRates()), OnceOnly(MemoryAnswers()))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.catalogue.aclose()

    async def ask(self, *, streamed: bool = True) -> GatewayAnswer:
        body = msgspec.json.encode(
            {"model": "fast", "stream": streamed, "messages": [{"role": "user", "content": "?"}]}
        )
        return await self.gateway.ask(Caller(user=OWNER), JsonAsked("chat/completions", body))


async def whole(answer: GatewayAnswer) -> bytes:
    if isinstance(answer, KeptAnswer):
        return answer.body
    try:
        return b"".join([piece async for piece in _pieces(answer)])
    finally:
        await answer.aclose()


async def _pieces(answer: StreamedAnswer) -> AsyncIterator[bytes]:
    while piece := await answer.read():
        yield piece


@pytest.mark.parametrize(
    "bad",
    [
        error(429),
        error(500),
        error(401),
        error(404),
        Answer([CUT], framing="raw"),
        Answer([CUT]),
        Answer([]),
        Answer([frame({"error": {"message": "Overloaded.", "code": 502}})]),
        Answer([b'{"error": {"message": "Overloaded.", "code": 502}}'], 200, {"content-type": "application/json"}),
        Answer([5.0]),
        Answer(before=5.0),
    ],
    ids=[
        *("429", "500", "401", "404", "hangs up", "hangs up after its head", "says nothing"),
        *("streams an error", "answers by an error"),
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
