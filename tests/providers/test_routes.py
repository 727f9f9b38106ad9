"""Aliases: who is asked in which order, and when another one is; over real sockets and the scripted provider."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from providers.conftest import Connect
from providers.contract import ProviderContract, Subject, all_events, fault_of, question, said
from upstream import CUT, DONE, ROLE, Answer, FakeUpstream, error, frame, stream, text

from daehwa.conversation.errors import (
    KeyNotSet,
    ModelNotFound,
    ProviderAccountError,
    ProviderAuthError,
    ProviderContextError,
    ProviderCutError,
    ProviderError,
    ProviderMalformedError,
    ProviderModelError,
    ProviderRateLimitError,
    ProviderRefusedError,
    ProviderStreamError,
    ProviderTimeoutError,
    ProviderUnavailableError,
    ProviderUnreachableError,
)
from daehwa.conversation.events import AnsweredBy, TextDelta
from daehwa.conversation.paid_answer import settled_limit
from daehwa.conversation.ports import Model, Provider
from daehwa.conversation.upstreams import may_ask_another
from daehwa.gateway.ports import WireRequest
from daehwa.providers.catalogue import Catalogue
from daehwa.providers.gate import FAILURES
from daehwa.providers.openai_wire import OpenAIWireProvider
from daehwa.providers.routes import ModelRoute, RoutedProvider, RouteTarget
from daehwa.providers.scripted import ScriptedProvider, spoken
from daehwa.providers.upstream import Patience

WORDS = "one two three four five six seven eight nine ten"


def route(*targets: str, name: str = "fast") -> ModelRoute:
    return ModelRoute(name, tuple(RouteTarget(target) for target in targets))


def two(first: Provider, second: Provider) -> Catalogue:
    return Catalogue([first, second], routes=[route("one/parrot", "two/parrot")])


def failing(fault: Exception, *, after: str | None = None) -> ScriptedProvider:
    return ScriptedProvider([*([(TextDelta(after),)] if after else []), fault], name="one")


class TestRoutedProvider(ProviderContract):
    @pytest.fixture
    async def subject(self) -> Subject:
        first = ScriptedProvider([ProviderUnavailableError("no")], name="one")
        second = ScriptedProvider(spoken(WORDS), pace=0.01, name="two")
        provider = (await two(first, second).resolve("fast")).provider
        return Subject(_Named(provider), "fast", lambda: second.calls[-1].ended.wait())  # noqa: PLW0108 - the turn is not there yet


class _Named(RoutedProvider):
    """The routed provider under a name that its models carry, as the contract has it."""

    def __init__(self, provider: Provider) -> None:
        assert isinstance(provider, RoutedProvider)
        super().__init__(Model(id="routes/fast", name="fast", provider="routes"), provider.targets)


async def test_the_first_that_answers_answers_and_is_named() -> None:
    second = ScriptedProvider(spoken("Hello"), name="two")
    found = await two(failing(ProviderUnreachableError("down")), second).resolve("fast")
    events = await all_events(found.provider, question(model=found.upstream_name))
    assert events[0] == AnsweredBy("two/parrot")
    assert said(events) == "Hello"
    assert second.requests[0].model == "parrot"
    assert (found.model.id, found.candidates) == ("fast", ("one/parrot", "two/parrot"))


@pytest.mark.parametrize(
    ("fault", "goes_on"),
    [
        (KeyNotSet, True),
        (ProviderAccountError, True),
        (ProviderAuthError, True),
        (ProviderCutError, True),
        (ProviderMalformedError, True),
        (ProviderModelError, True),
        (ProviderRateLimitError, True),
        (ProviderStreamError, True),
        (ProviderTimeoutError, True),
        (ProviderUnavailableError, True),
        (ProviderUnreachableError, True),
        (ProviderRefusedError, False),
        (ProviderContextError, False),
    ],
)
async def test_another_is_asked_where_the_request_is_not_at_fault(fault: type[ProviderError], *, goes_on: bool) -> None:
    second = ScriptedProvider(spoken("Hello"), name="two")
    found = await two(failing(fault("It went wrong.")), second).resolve("fast")
    if goes_on:
        assert said(await all_events(found.provider, question())) == "Hello"
    else:
        assert isinstance(await fault_of(found.provider), fault)
    assert len(second.calls) == goes_on


@pytest.mark.parametrize(
    ("status", "goes_on"),
    [
        (400, False),
        (413, False),
        (422, False),
        *((status, True) for status in (402, 403, 404, 408, 409, 424, 425, 429, 451, 498, 499, 503, 520, 529, 530)),
    ],
)
def test_statuses_after_which_another_is_asked(status: int, *, goes_on: bool) -> None:
    assert may_ask_another(status) == goes_on


def test_another_is_asked_where_one_does_not_allow_what_another_may() -> None:
    assert may_ask_another(ProviderRefusedError("Not in your region.", status=403))
    assert may_ask_another(ProviderRefusedError("Not by this law.", status=451))
    assert may_ask_another(ProviderRefusedError("Not implemented.", status=501))


async def test_never_after_the_first_token() -> None:
    second = ScriptedProvider(spoken("Hello"), name="two")
    found = await two(failing(ProviderCutError("cut"), after="He"), second).resolve("fast")
    assert isinstance(await fault_of(found.provider), ProviderCutError)
    assert second.calls == []


async def test_the_last_ones_fault_is_told_where_nobody_answers() -> None:
    second = ScriptedProvider([ProviderRateLimitError("slow", retry_after=3)], name="two")
    found = await two(failing(ProviderUnreachableError("down")), second).resolve("fast")
    assert (await fault_of(found.provider)).retry_after == 3


Cases = Callable[[FakeUpstream], Any]


@pytest.mark.parametrize(
    "answer",
    [
        error(429, headers={"retry-after": "60"}),
        error(500),
        error(401),
        Answer([ROLE, CUT]),
        Answer([CUT], framing="raw"),
        Answer([frame({"error": {"message": "overloaded"}})]),
        Answer([ROLE, 5.0]),
        Answer(before=5.0),
    ],
    ids=["429", "500", "401", "cut", "hangs up", "error in the stream", "silent after its head", "silent"],
)
async def test_real_faults_of_an_upstream_are_another_ones_chance(connect: Connect, answer: Answer) -> None:
    async with FakeUpstream(answer) as bad, FakeUpstream(Answer(stream("Hello there."))) as good:
        patience = Patience(first_byte=0.1, idle=0.1, retry_base=0.01)
        one = connect(bad.base_url, name="one", patience=patience)
        two = connect(good.base_url, name="two")
        catalogue = Catalogue([one, two], routes=[route("one/gpt-test", "two/gpt-test")])
        found = await catalogue.resolve("fast")
        began = asyncio.get_running_loop().time()
        assert said(await all_events(found.provider, question())) == "Hello there."
        assert asyncio.get_running_loop().time() - began < 1
        # It is not tried a second time where another can be asked. (A kept connection may have closed, as any may.)
        assert len({turn.connection for turn in bad.turns[1:]}) <= (answer.framing == "raw")


async def test_an_open_circuit_comes_last_and_is_seen(connect: Connect) -> None:
    async with FakeUpstream(error(500)) as bad, FakeUpstream() as good:
        one, two = connect(bad.base_url, name="one"), connect(good.base_url, name="two")
        catalogue = Catalogue([one, two], routes=[route("one/gpt-test", "two/gpt-test")])
        for _ in range(FAILURES):
            await all_events((await catalogue.resolve("fast")).provider, question())
        assert len(bad.turns) == FAILURES
        targets = await catalogue.targets("fast", "chat/completions")
        assert [target.model.id for target in targets] == ["two/gpt-test", "one/gpt-test"]
        states = {state.provider: state for state in catalogue.upstreams()}
        assert (states["one"].circuit, states["two"].circuit) == ("open", "closed")
        assert "times in a row" in catalogue.problems()["one"].message
        assert (await fault_of(one)).retry_after == 1
        with pytest.raises(ProviderUnavailableError, match="times in a row"):
            await targets[1].send(WireRequest(endpoint="chat/completions", body=b"{}"))
        assert len(bad.turns) == FAILURES


async def test_a_full_upstream_is_passed_over(connect: Connect) -> None:
    gate = asyncio.Event()
    async with (
        FakeUpstream(Answer([ROLE, text("Hi"), gate, DONE])) as busy,
        FakeUpstream(Answer(stream("Hello there."))) as good,
    ):
        one = connect(busy.base_url, name="one", max_concurrent=1)
        one.upstream_gate._place_seconds = 0.02
        catalogue = Catalogue([one, connect(good.base_url, name="two")], routes=[route("one/gpt-test", "two/gpt-test")])
        running = (await catalogue.resolve("fast")).provider.generate(question())
        assert await anext(running)
        found = await catalogue.resolve("fast")
        assert said(await all_events(found.provider, question())) == "Hello there."
        await running.aclose()  # type: ignore[attr-defined]  # an async generator
        assert one.upstream_gate.calls == 0


async def test_who_stands_by_is_not_asked_while_another_one_is_only_full(connect: Connect) -> None:
    async with FakeUpstream(Answer([ROLE, text("Hi"), 5.0])) as busy, FakeUpstream() as paid:
        one = connect(busy.base_url, name="one", max_concurrent=1)
        targets = (RouteTarget("two/gpt-test", 0), RouteTarget("one/gpt-test", 1))
        catalogue = Catalogue([one, connect(paid.base_url, name="two")], routes=[ModelRoute("fast", targets)])
        running = (await catalogue.resolve("fast")).provider.generate(question())
        assert await anext(running)
        assert one.upstream_gate.is_full
        assert (await catalogue.resolve("fast")).candidates == ("one/gpt-test", "two/gpt-test")
        await running.aclose()  # type: ignore[attr-defined]  # an async generator


async def test_an_alias_is_a_model_that_can_do_what_all_of_its_targets_can(connect: Connect) -> None:
    models: list[str | dict[str, object]] = [
        {"id": "big", "context_length": 9000},
        {"id": "small", "context_length": 4000},
        "text-embedding-3-small",
    ]
    async with FakeUpstream(models=models) as upstream:
        catalogue = Catalogue(
            [connect(upstream.base_url)],
            routes=[
                route("acme/big", "small"),
                route("text-embedding-3-small", name="vectors"),
                route("acme/gone", "fast", name="lost"),
            ],
            default="fast",
        )
        assert [model.id for model in await catalogue.models()] == ["fast", "acme/big", "acme/small"]
        assert [model.id for model in await catalogue.listed()][:2] == ["fast", "vectors"]
        alias = (await catalogue.models())[0]
        assert (alias.name, alias.context_window, alias.kind) == ("fast", 4000, "chat")
        assert await catalogue.default_model() == "fast"
        assert (await catalogue.resolve(None)).model.id == "fast"
        assert [target.model.id for target in await catalogue.targets(None, "chat/completions")] == [
            *("acme/big", "acme/small")
        ]
        with pytest.raises(ModelNotFound):
            await catalogue.resolve("lost")
        assert "acme/gone, fast" in catalogue.problems()["lost"].message


async def test_targets_without_a_key_come_last_and_alone_say_so() -> None:
    first, second = ScriptedProvider(name="one"), ScriptedProvider(name="two")
    first.models_error = KeyNotSet("one has no key.")
    catalogue = two(first, second)
    assert (await catalogue.resolve("fast")).candidates == ("two/parrot", "one/parrot")
    second.models_error = KeyNotSet("two has no key.")
    with pytest.raises(KeyNotSet):
        await two(first, second).resolve("fast")


async def test_who_cannot_be_asked_in_openais_dialect() -> None:
    with pytest.raises(ModelNotFound, match="cannot be asked in this way"):
        await Catalogue([ScriptedProvider()]).targets("parrot", "chat/completions")


def test_weights_are_drawn_and_the_others_follow() -> None:
    weighted = ModelRoute("fast", (RouteTarget("a", 3), RouteTarget("b", 1), RouteTarget("c", 0), RouteTarget("d")))
    chance = random.Random(7).random  # noqa: S311 - a fixed draw
    orders = [weighted.in_order(chance) for _ in range(4000)]
    firsts = Counter(order[0] for order in orders)
    assert set(firsts) == {"a", "b", "d"}
    assert firsts["a"] / 4000 == pytest.approx(0.6, abs=0.04)
    assert firsts["b"] / 4000 == pytest.approx(0.2, abs=0.04)
    assert {order[3] for order in orders} == {"c"}
    assert route("z", "a").in_order(chance) == ["z", "a"]


async def test_the_contract_of_upstreams_tried_once(connect: Connect) -> None:
    async with FakeUpstream(error(503), Answer(stream("Hello"))) as upstream:
        provider = connect(upstream.base_url)
        assert isinstance(provider, OpenAIWireProvider)

        async def once() -> AsyncIterator[object]:
            async for batch in provider.generate_once(question()):
                yield batch

        with pytest.raises(ProviderUnavailableError):
            _ = [batch async for batch in once()]
        assert said(await all_events(provider, question())) == "Hello"


@pytest.mark.parametrize(("first", "second", "limit"), [(1000, 8000, 8000), (1000, None, None)])
async def test_an_alias_is_reserved_for_by_the_largest_of_its_targets_limits(
    connect: Connect, first: int, second: int | None, limit: int | None
) -> None:
    async with FakeUpstream() as upstream:
        limits = {"a": first, "b": second}
        providers = [
            connect(upstream.base_url, name=name, extra_body={} if limit is None else {"max_tokens": limit})
            for name, limit in limits.items()
        ]
        route = ModelRoute("fast", (RouteTarget("a/gpt-test"), RouteTarget("b/gpt-test")))
        assert settled_limit(await Catalogue(providers, routes=[route]).resolve("fast")) == limit
