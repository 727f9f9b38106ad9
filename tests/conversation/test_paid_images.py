"""Images are paid for: a reservation covers the dearest that they may be, and a guess says so."""

import asyncio

import msgspec
import pytest
from cores import Core
from images import PNG, shown
from tills import MODEL, Till, a_call, a_rule

from daehwa.conversation.images import Image
from daehwa.conversation.messages import ImagePart, Usage
from daehwa.conversation.paid_answer import PaidAnswer
from daehwa.conversation.ports import GenerationRequest, Model, PromptMessage, ResolvedModel
from daehwa.conversation.running import RunningTurns
from daehwa.conversation.transcript import estimated_tokens, reserved_tokens
from daehwa.gateway.asking import JsonAsked
from daehwa.providers.questions import Questions, worded
from daehwa.providers.scripted import ScriptedProvider, Step, spoken
from daehwa.providers.upstream import Upstream

GREAT = 10**12
TEXT = "What is it?"


def showing(count: int) -> GenerationRequest:
    images = [Image(str(number), "image/png", PNG) for number in range(count)]
    parts = [ImagePart(image=each.id, media_type="image/png", size=len(PNG), width=1, height=1) for each in images]
    message = PromptMessage("user", TEXT, tuple(parts))
    return GenerationRequest(model="parrot", messages=(message,), images={each.id: each for each in images})


def resolved(*others: str, window: int | None = None) -> ResolvedModel:
    model = Model(id=MODEL, name="Parrot", provider="scripted", context_window=window)
    return ResolvedModel(ScriptedProvider(), model, "parrot", (MODEL, *others) if others else ())


class Recording(Till):
    """A till that remembers the last call that was opened."""

    async def reserved(self, request: GenerationRequest, of: ResolvedModel) -> int:
        """Return how many tokens of a prompt are reserved for a request, at a micro-dollar each."""
        paid = PaidAnswer(self.meter, a_call(kind="turn", user="mina"))
        sent = await paid.opened(msgspec.structs.replace(request, max_output_tokens=1), of)
        assert sent.max_output_tokens == 1
        return await self.spent() - 10


@pytest.mark.parametrize(
    ("others", "each"),
    [((), 15_000), (("here/free",), 15_000), (("scripted/gpt-4o-mini-2024",), 48_000)],
)
async def test_a_reservation_covers_the_dearest_that_images_may_be(others: tuple[str, ...], each: int) -> None:
    till = Recording(a_rule("user", GREAT))
    till.meter.prices = PricedAlike()  # type: ignore[assignment] # all models cost as much
    assert await till.reserved(showing(3), resolved(*others)) == reserved_tokens(TEXT) + 3 * each


class PricedAlike:
    """Every model has the price of the one that is known."""

    def price_of(self, model: str, *, now: int) -> object:  # noqa: ARG002 - the list's
        return Till().meter.price_now(MODEL)


async def test_no_less_is_reserved_than_the_gateway_reserves_for_the_same_bytes() -> None:
    request = showing(4)
    questions = Questions(Upstream(name="acme", base_url="http://127.0.0.1:1/v1", key=None))
    weight = JsonAsked("chat/completions", questions.body(request, await worded(request.images))).weight
    till = Recording(a_rule("user", GREAT))
    reserved = await till.reserved(request, resolved())
    around = weight.input_tokens - reserved
    assert 0 <= around < 200, "the gateway counts the JSON around, too"


async def test_the_answer_keeps_the_room_that_small_images_would_leave() -> None:
    till = Till(a_rule("user", GREAT))
    paid = PaidAnswer(till.meter, a_call(kind="turn", user="mina"))
    sent = await paid.opened(showing(1), resolved(window=4096))
    assert sent.max_output_tokens == 4096 - 128 - estimated_tokens(TEXT)


async def test_a_question_that_no_budget_has_room_for_is_not_asked() -> None:
    till = Till(a_rule("user", 15_000))
    core = Core()
    core.running = RunningTurns(core.store, core.catalogue, runner="test", options=core.options, meter=till.meter)
    request = core.question(TEXT)
    assert request.question is not None
    asked = msgspec.structs.replace(request, question=msgspec.structs.replace(request.question, images=(shown(),)))
    await core.running.start(asked)
    ended = await core.ended(request.reply)
    assert ended.error is not None
    assert ended.error.type == "budget_exceeded"
    assert core.provider.calls == []
    await core.running.aclose()


@pytest.mark.parametrize("is_counted", [True, False])
async def test_what_an_upstream_counts_holds_and_a_guess_is_of_the_usual_size(*, is_counted: bool) -> None:
    told = Usage(input=777, output=2)
    script: list[Step] = spoken("A cat.", usage=told) if is_counted else [*spoken("A cat.")[:-1]]
    core = Core(ScriptedProvider(script))
    till = Till(a_rule("user", GREAT))
    core.running = RunningTurns(core.store, core.catalogue, runner="test", options=core.options, meter=till.meter)
    request = core.question(TEXT)
    assert request.question is not None
    question = msgspec.structs.replace(request.question, images=(shown(), shown()))
    await core.running.start(msgspec.structs.replace(request, question=question))
    async with asyncio.timeout(5):
        await core.events(request.reply)
    usage = (await core.store.get_message("me", request.reply)).usage
    assert usage is not None
    assert usage.estimated is not is_counted
    assert usage.input == (777 if is_counted else estimated_tokens(TEXT) + 3_000)
    await core.running.aclose()
