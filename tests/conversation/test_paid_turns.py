"""Turns and titles are paid for: reserved in the turn's own task, counted however they end."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import asynccontextmanager

import msgspec
import pytest
from cores import Core
from tills import MODEL, NOW, Till, a_call, a_rule

from daehwa.conversation.budget import NamedBudget
from daehwa.conversation.errors import ProviderTimeoutError, ProviderUnavailableError
from daehwa.conversation.events import Batch, ReplyEnded, TextDelta, TitleMade, UsageReported
from daehwa.conversation.ids import now_ms
from daehwa.conversation.messages import Message, Usage
from daehwa.conversation.metering import CallEnded
from daehwa.conversation.paid_answer import PaidAnswer
from daehwa.conversation.ports import GenerationRequest, Model, PromptMessage, ResolvedModel
from daehwa.conversation.running import RunningTurns, TurnRequest
from daehwa.conversation.transcript import estimated_tokens
from daehwa.providers.scripted import Script, ScriptedProvider, Step, spoken

GREAT = 10**12


@asynccontextmanager
async def a_paid_core(till: Till, script: Script | None = None, *, titles: bool = False) -> AsyncIterator[Core]:
    core = Core(ScriptedProvider(script) if script is not None else None, titles=titles)
    core.running = RunningTurns(core.store, core.catalogue, runner="test", options=core.options, meter=till.meter)
    try:
        yield core
    finally:
        await core.running.aclose()


async def asked(core: Core, text: str = "Hello") -> tuple[TurnRequest, Message]:
    """Ask, and return the request and the reply as it is stored at its end."""
    request = core.question(text)
    await core.running.start(request)
    await core.events(request.reply)
    return request, await core.store.get_message("me", request.reply)


async def test_a_reply_says_what_it_cost_and_is_counted_as_a_turn() -> None:
    till = Till(a_rule("user", GREAT))
    told: list[CallEnded] = []
    till.meter.observe(told.append)
    async with a_paid_core(till, spoken("Good day", usage=Usage(input=30, output=2))) as core:
        request, reply = await asked(core)
    assert reply.usage == Usage(input=30, output=2, cost=50)
    (entry,) = till.faulty.settled
    assert (entry.id, entry.kind, entry.model, entry.user) == (request.reply, "turn", MODEL, "me")
    assert entry.conversation == request.conversation
    assert await till.spent("user:me") == 50
    assert told[0].usage == reply.usage
    assert told[0].outcome.first_ms is not None


async def test_followers_are_told_the_cost() -> None:
    async with a_paid_core(Till(), spoken("Good day", usage=Usage(input=30, output=2))) as core:
        request = core.question()
        await core.running.start(request)
        events = await core.events(request.reply)
    assert UsageReported(Usage(input=30, output=2, cost=50)) in events


async def test_a_question_that_no_budget_has_room_for_is_kept_and_its_reply_says_when_it_renews() -> None:
    till = Till(a_rule("user", 100))
    async with a_paid_core(till) as core:
        request, reply = await asked(core, "Keep me")
        _, messages = await core.store.get_conversation("me", request.conversation)
    assert messages[0].text == "Keep me"
    assert (reply.status, reply.usage) == ("failed", None)
    assert reply.error is not None
    assert reply.error.type == "budget_exceeded"
    assert "It renews at midnight UTC on 2026-11-23." in reply.error.message
    tomorrow = NOW + 24 * 60 * 60 * 1000
    assert reply.error.budget == NamedBudget(scope="user:me", kind="day", limit=100, renews=tomorrow)
    assert core.provider.requests == []
    assert till.faulty.settled == []


async def test_a_model_without_a_price_is_not_asked_where_a_budget_applies() -> None:
    till = Till(a_rule("user", GREAT))
    async with a_paid_core(till) as core:
        core.catalogue.model = core.catalogue.model.__class__(id="scripted/odd", name="odd", provider="scripted")
        _, reply = await asked(core)
    assert reply.error is not None
    assert reply.error.type == "price_unknown"


async def test_a_ledger_that_is_down_lets_no_question_through() -> None:
    till = Till(a_rule("user", GREAT))
    till.faulty.failures = 1
    async with a_paid_core(till) as core:
        _, reply = await asked(core)
    assert reply.error is not None
    assert reply.error.type == "store_unavailable"
    assert core.provider.requests == []


async def test_the_answer_may_be_as_long_as_was_reserved() -> None:
    limits: list[int | None] = []

    def script(request: GenerationRequest) -> Iterable[Step]:
        limits.append(request.max_output_tokens)
        return spoken("Hi")

    async with a_paid_core(Till(a_rule("user", GREAT)), script) as core:
        await asked(core)
    async with a_paid_core(Till(), script) as core:
        await asked(core)
    assert limits == [4096, None]


async def test_an_answer_is_no_longer_than_its_model_has_room_for_beside_the_prompt() -> None:
    paid = PaidAnswer(Till(a_rule("user", GREAT)).meter, a_call(kind="turn"))
    request = GenerationRequest(model="parrot", messages=(PromptMessage("user", "word " * 400),))
    model = Model(id="scripted/parrot", name="Parrot", provider="scripted", context_window=2048)
    sent = (await paid.opened(request, ResolvedModel(ScriptedProvider(), model, "parrot"))).max_output_tokens
    assert sent == 2048 - 64 - estimated_tokens("word " * 400)


class _Limited(ScriptedProvider):
    limit: int | None = 1000

    def answer_limit(self, model: str) -> int | None:
        assert model == "parrot"
        return self.limit


@pytest.mark.parametrize(
    ("settled", "budget", "reserved", "sent"),
    [(1000, GREAT, 1000, None), (8000, GREAT, 8000, None), (1000, 5_000, 499, 499), (None, GREAT, 4096, 4096)],
)
async def test_an_answer_is_reserved_as_long_as_the_settings_let_it_be_or_as_there_is_room_for(
    settled: int | None, budget: int, reserved: int, sent: int | None
) -> None:
    till = Till(a_rule("user", budget))
    provider = _Limited(spoken("Hi"))
    provider.limit = settled
    async with a_paid_core(till) as core:
        core.catalogue.provider = provider
        await asked(core, "Hi")
    assert [request.max_output_tokens for request in provider.requests] == [sent]
    assert till.faulty.settled[0].reserved == estimated_tokens("Hi") + reserved * 10


async def test_a_prompt_of_numbers_is_reserved_for_as_such() -> None:
    till, numbers = Till(a_rule("user", GREAT)), "1234567890" * 300
    async with a_paid_core(till, spoken("Hi", usage=Usage(input=1000, output=1))) as core:
        await asked(core, numbers)
    (entry,) = till.faulty.settled
    assert entry.reserved >= len(numbers) // 3 + 4096 * 10
    assert entry.counted == 1010


@pytest.mark.parametrize("reason", ["stopped", "uncounted", "noughts", "broken"])
async def test_what_no_upstream_counted_is_estimated_and_says_so(reason: str) -> None:
    said = TextDelta("half of it")
    endings: dict[str, list[Step]] = {
        "stopped": [(said,), asyncio.Event()],
        "uncounted": [(said,)],
        "noughts": [(said, UsageReported(Usage()))],
        "broken": [(said,), ProviderUnavailableError("It fell over.")],
    }
    till = Till(a_rule("user", GREAT))
    async with a_paid_core(till, endings[reason]) as core:
        request = core.question("A question")
        await core.running.start(request)
        follower = core.running.follow("me", request.reply)
        await anext(follower)
        if reason == "stopped":
            await core.running.stop("me", request.reply)
        assert [batch async for batch in follower]
        reply = await core.store.get_message("me", request.reply)
    usage = Usage(input=estimated_tokens("A question"), output=estimated_tokens("half of it"), estimated=True)
    cost = usage.input + usage.output * 10
    assert reply.usage == Usage(input=usage.input, output=usage.output, estimated=True, cost=cost)
    assert await till.spent("user:me") == cost


async def test_an_upstream_that_fails_with_nothing_to_show_is_not_paid() -> None:
    till = Till(a_rule("user", GREAT))
    async with a_paid_core(till, [ProviderUnavailableError("Not now.")]) as core:
        _, reply = await asked(core)
    assert reply.usage is None
    assert await till.spent("user:me") == 0
    assert till.faulty.settled[0].failed == "upstream_unavailable"


async def test_stopping_before_the_first_word_is_paid_as_far_as_the_prompt() -> None:
    is_asked = asyncio.Event()

    def script(_: GenerationRequest) -> Iterable[Step]:
        is_asked.set()
        return [asyncio.Event()]

    async with a_paid_core(Till(a_rule("user", GREAT)), script) as core:
        request = core.question("A question")
        await core.running.start(request)
        await is_asked.wait()
        reply = await core.running.stop("me", request.reply)
    assert reply.usage is not None
    assert (reply.usage.input, reply.usage.output, reply.usage.estimated) == (estimated_tokens("A question"), 0, True)


class _Waiting(ScriptedProvider):
    """A provider whose upstream gets nothing before `may_send` is set."""

    def __init__(self, script: Script) -> None:
        super().__init__(script)
        self.is_waiting, self.may_send = asyncio.Event(), asyncio.Event()

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[Batch, None]:
        self.is_waiting.set()
        await self.may_send.wait()
        async for batch in super().generate(request):
            yield batch


async def test_stopping_while_nothing_is_sent_costs_nothing() -> None:
    till, provider = Till(a_rule("user", GREAT)), _Waiting(spoken("Hi"))
    async with a_paid_core(till) as core:
        core.catalogue.provider = provider
        request = core.question("A question")
        await core.running.start(request)
        await provider.is_waiting.wait()
        reply = await core.running.stop("me", request.reply)
    assert (reply.status, reply.usage) == ("stopped", None)
    assert await till.spent("user:me") == 0


async def test_a_prompt_is_paid_of_which_its_upstream_made_nothing_in_time() -> None:
    till = Till(a_rule("user", GREAT))
    async with a_paid_core(till, [ProviderTimeoutError("It did not begin to answer.")]) as core:
        _, reply = await asked(core, "A question")
    assert reply.error is not None
    tokens = estimated_tokens("A question")
    assert reply.usage == Usage(input=tokens, output=0, estimated=True, cost=tokens)
    assert await till.spent("user:me") == tokens
    assert till.faulty.settled[0].failed == "upstream_timeout"


async def test_a_prompt_is_paid_where_the_time_for_its_answer_is_up() -> None:
    till, is_asked = Till(a_rule("user", GREAT)), asyncio.Event()

    def script(_: GenerationRequest) -> Iterable[Step]:
        is_asked.set()
        return [asyncio.Event()]

    async with a_paid_core(till, script) as core:
        margin = round(core.options.before_deadline * 1000)
        request = msgspec.structs.replace(core.question("A question"), deadline=now_ms() + margin + 200)
        await core.running.start(request)
        await is_asked.wait()
        reply = await core.ended(request.reply)
    assert reply.error is not None
    assert reply.error.type == "time_is_up"
    assert await till.spent("user:me") == estimated_tokens("A question")


async def test_stopping_while_it_is_reserved_leaves_nothing_reserved() -> None:
    till = Till(a_rule("user", GREAT))
    till.faulty.gate = asyncio.Event()
    async with a_paid_core(till) as core:
        request = core.question()
        await core.running.start(request)
        await asyncio.sleep(0)
        reply = await core.running.stop("me", request.reply)
        assert (reply.status, reply.usage) == ("stopped", None)
        till.faulty.gate.set()
    await till.meter.aclose()
    assert await till.spent("user:me") == 0
    assert core.provider.requests == []


async def test_a_title_is_counted_as_one() -> None:
    def script(request: GenerationRequest) -> Iterable[Step]:
        is_title = request.max_output_tokens == 256
        return spoken("A title" if is_title else "An answer", usage=Usage(input=10, output=1 if is_title else 2))

    till = Till()
    async with a_paid_core(till, script, titles=True) as core:
        request = core.question()
        await core.running.start(request)
        events = await core.events(request.reply)
    assert TitleMade("A title", Usage(input=10, output=1, cost=20)) in events
    assert [(entry.kind, entry.usage) for entry in till.faulty.settled] == [
        ("turn", Usage(input=10, output=2, cost=30)),
        ("title", Usage(input=10, output=1, cost=20)),
    ]


class Searching(ScriptedProvider):
    """A provider whose models read what they find."""

    def searches(self, model: str) -> bool:
        return bool(model)


async def test_all_that_a_searching_model_can_read_is_reserved_for_its_title_too() -> None:
    till = Till(a_rule("user", GREAT))
    core = Core(Searching(spoken("An answer")), titles=True)
    core.catalogue.model = msgspec.structs.replace(core.catalogue.model, context_window=400_000)
    core.running = RunningTurns(core.store, core.catalogue, runner="test", options=core.options, meter=till.meter)
    await asked(core)
    await core.running.aclose()
    assert [entry.kind for entry in till.faulty.settled] == ["turn", "title"]
    assert min(entry.reserved for entry in till.faulty.settled) > 400_000  # at a micro-dollar a token


async def test_a_title_that_no_budget_has_room_for_is_left_out() -> None:
    till = Till(a_rule("user", 50_000))
    async with a_paid_core(till, spoken("An answer", usage=Usage(input=9_000, output=4_000)), titles=True) as core:
        request = core.question()
        await core.running.start(request)
        events = await core.events(request.reply)
    assert not [event for event in events if isinstance(event, TitleMade)]
    assert [event.status for event in events if isinstance(event, ReplyEnded)] == ["complete"]
    assert [entry.kind for entry in till.faulty.settled] == ["turn"]


async def test_a_title_whose_upstream_fails_is_counted_as_failed() -> None:
    def script(request: GenerationRequest) -> Iterable[Step]:
        return [ProviderUnavailableError("Not now.")] if request.max_output_tokens == 256 else spoken("An answer")

    till = Till()
    async with a_paid_core(till, script, titles=True) as core:
        await asked(core)
    assert [(entry.kind, entry.failed) for entry in till.faulty.settled] == [
        ("turn", None),
        ("title", "upstream_unavailable"),
    ]


async def test_a_ledger_that_hangs_does_not_hold_up_the_programs_end() -> None:
    till = Till()
    async with a_paid_core(till, [(TextDelta("half"),), asyncio.Event()]) as core:
        request = core.question()
        await core.running.start(request)
        await anext(core.running.follow("me", request.reply))
        till.faulty.gate = asyncio.Event()
        async with asyncio.timeout(4):
            await core.running.aclose()
        assert (await core.store.get_message("me", request.reply)).status == "interrupted"
        till.faulty.gate.set()
        await till.meter.aclose()
    assert len(till.faulty.settled) == 1
