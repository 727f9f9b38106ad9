"""Speech, pictures and moderation by the official package against a budget for three, and however clients leave."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import openai
import pytest
from clients.asks import RECORDING
from clients.home import Home
from openai import AsyncOpenAI

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning"),  # so the package calls variations
]
SECONDS = 30
TEXT = "Lighthouse " * 9 + "."
"""100 bytes."""
PICTURE = ("a.png", RECORDING, "image/png")


class Dear(NamedTuple):
    """A call, and a budget in micro-dollars that three of them fit into and four do not."""

    make: Callable[[AsyncOpenAI], Awaitable[Any]]
    budget: int


CALLS = {
    # 1,600 tokens of sound at $8 a million, and the request's own at $2.
    "speech": Dear(lambda to: to.audio.speech.create(model="speaks", voice="coral", input=TEXT), 45_000),
    # 15,000 tokens for the picture at $2, 6,240 of an image at $8, and $0.04 for it.
    "edit": Dear(lambda to: to.images.edit(model="draws", image=PICTURE, prompt="A sea"), 420_000),
    "variation": Dear(lambda to: to.images.create_variation(model="draws", image=PICTURE), 420_000),
    # 1,000 tokens at $2.
    "moderation": Dear(lambda to: to.moderations.create(model="omni-moderation-test", input="sea" * 1000), 7_000),
}


def asks_of(home: Home) -> int:
    """Return how often the upstream was asked for anything but its list of models."""
    return sum(request.method == "POST" for request in home.upstream.requests)


@asynccontextmanager
async def client_of(home: Home, name: str, **limits: Any) -> AsyncIterator[AsyncOpenAI]:
    made = await home.make_key(name, **limits)
    async with AsyncOpenAI(base_url=home.base_url, api_key=made["secret"], timeout=SECONDS, max_retries=0) as client:
        yield client


@pytest.mark.parametrize("name", CALLS)
async def test_thirty_calls_at_a_budget_for_three(home: Home, name: str) -> None:
    dear = CALLS[name]
    begun, asked = await home.spent(), asks_of(home)
    home.upstream.gate = asyncio.Event()
    async with client_of(home, f"three of {name}", total=dear.budget) as client:
        calls = [asyncio.ensure_future(dear.make(client)) for _ in range(30)]
        refused = asyncio.as_completed(calls, timeout=SECONDS)
        for _, one in zip(range(27), refused, strict=False):
            with pytest.raises(openai.RateLimitError, match="budget"):
                await one
        home.upstream.gate.set()
        answers = [
            each for each in await asyncio.gather(*calls, return_exceptions=True) if not isinstance(each, Exception)
        ]
        home.upstream.gate = None
        assert (len(answers), asks_of(home) - asked) == (3, 3)
        await home.nothing_reserved()
        spent = await home.spent()
        assert 0 < spent.cost - begun.cost <= dear.budget
        assert spent.calls - begun.calls == 3


@pytest.mark.parametrize("name", CALLS)
async def test_whoever_leaves_whenever_holds_nothing(home: Home, name: str) -> None:
    dear = CALLS[name]
    begun = await home.spent()
    async with client_of(home, f"leaves {name}", total=dear.budget * 10) as client:
        for wait in (0.0, 0.001, 0.003, 0.01, 0.03, 0.1):
            home.upstream.gate = asyncio.Event()
            call = asyncio.ensure_future(dear.make(client))
            await asyncio.sleep(wait)
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
            home.upstream.gate.set()
            home.upstream.gate = None
        await home.nothing_reserved()
        spent = await home.spent()
        assert spent.cost - begun.cost <= dear.budget * 3
        assert await dear.make(client)


async def test_sound_that_breaks_off_is_an_error_to_its_client_and_is_paid(home: Home) -> None:
    begun = await home.spent()
    async with client_of(home, "broken sound", total=1_000_000) as client:
        with pytest.raises(openai.APIConnectionError):
            await client.audio.speech.create(model="fails-cut", voice="coral", input=TEXT)
        async with client.audio.speech.with_streaming_response.create(
            model="speaks", voice="coral", input=TEXT
        ) as answer:
            first = await anext(aiter(answer.iter_bytes(32)))
            assert len(first) == 32
        await home.nothing_reserved()
        spent = await home.spent()
        assert (spent.calls - begun.calls, spent.failed - begun.failed) == (2, 1)
        likely = 140 * 8
        assert spent.cost - begun.cost >= 2 * likely


@pytest.mark.parametrize("wrong", [{"n": 10**9}, {"n": -1}, {"n": 0}, {"partial_images": 10**6}])
async def test_absurd_numbers_reserve_nothing(home: Home, wrong: dict[str, Any]) -> None:
    begun, asked = await home.spent(), asks_of(home)
    async with client_of(home, f"absurd {wrong}", total=1_000_000) as client:
        with pytest.raises(openai.BadRequestError) as drawn:
            await client.images.generate(model="draws", prompt="A sea", **wrong)
        with pytest.raises(openai.BadRequestError) as changed:
            await client.images.edit(model="draws", image=PICTURE, prompt="A sea", **wrong)
        assert drawn.value.param == changed.value.param == next(iter(wrong))
    assert (await home.spent(), asks_of(home)) == (begun, asked)


async def test_many_images_at_once_are_refused_by_the_budget_before_anybody_is_asked(home: Home) -> None:
    asked = asks_of(home)
    async with client_of(home, "many images", total=420_000) as client:
        for n in (6, 4096):
            with pytest.raises(openai.RateLimitError):
                await client.images.edit(model="draws", image=PICTURE, prompt="A sea", n=n)
        with pytest.raises(openai.RateLimitError):
            await client.images.edit(model="draws", image=[PICTURE] * 12, prompt="A sea")
        with pytest.raises(openai.RateLimitError):
            await client.audio.speech.create(model="speaks", voice="coral", input=TEXT * 100)
    assert asks_of(home) == asked


async def test_an_unpriced_model_is_not_asked_where_a_budget_applies(home: Home) -> None:
    async with client_of(home, "may not", total=420_000, models=["double/talks"]) as client:
        for dear in CALLS.values():
            with pytest.raises(openai.PermissionDeniedError) as refused:
                await dear.make(client)
            assert refused.value.code == "model_not_allowed"
