"""The official `openai` package for Python sees through daehwa what it sees of the upstream, field by field."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import openai
import pytest
from clients.asks import ASKS, FAILING, HELLO, TOOLS, Ask
from clients.home import Home
from clients.known_differences import compared
from clients.recording import record_async, record_in_thread
from openai import AsyncOpenAI, OpenAI
from openai_like.server import MODELS, Door
from openai_like.wording import KEY
from pydantic import BaseModel

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning"),  # so the package calls translations
]


class Person(BaseModel):
    """What a schema is made of."""

    name: str
    age: int


@asynccontextmanager
async def both(direct: Door, through: Door, **options: Any) -> AsyncIterator[tuple[AsyncOpenAI, AsyncOpenAI]]:
    """Open the same client at both doors."""
    settings: Any = {"max_retries": 0, "timeout": 20, **options}
    async with (
        AsyncOpenAI(**direct._asdict(), **settings) as one,
        AsyncOpenAI(**through._asdict(), **settings) as other,
    ):
        yield one, other


async def test_the_async_client_sees_the_same(direct: Door, through: Door) -> None:
    async with both(direct, through) as (one, other):
        found = [
            line for ask in ASKS for line in compared(ask, await record_async(one, ask), await record_async(other, ask))
        ]
    assert found == []


async def test_the_sync_client_sees_the_same(direct: Door, through: Door) -> None:
    found = []
    with OpenAI(**direct._asdict(), max_retries=0) as one, OpenAI(**through._asdict(), max_retries=0) as other:
        for ask in ASKS:
            found += compared(ask, await record_in_thread(one, ask), await record_in_thread(other, ask))
    assert found == []


async def test_errors_of_the_upstream_are_the_same_classes(direct: Door, through: Door) -> None:
    found = []
    async with both(direct, through) as (one, other):
        for ask in FAILING:
            found += compared(ask, await record_async(one, ask), await record_async(other, ask))
            await other.chat.completions.create(
                **HELLO
            )  # so that faults never come five in a row: the circuit stays closed
    assert found == []


async def test_a_stream_that_is_cut_off_says_so(through: Door) -> None:
    async with AsyncOpenAI(**through._asdict(), max_retries=0) as client:
        cut = await record_async(
            client, Ask("", "chat.completions.create", {**HELLO, "model": "fails-cut", "stream": True})
        )
        assert cut["events"], "what came before is shown"
        assert (cut["class"], cut["code"], cut["type"]) == ("APIError", "upstream_cut", "server_error")
        whole = await record_async(client, Ask("", "chat.completions.create", {**HELLO, "model": "fails-cut"}))
        assert (whole["class"], whole["status"], whole["code"]) == ("InternalServerError", 502, "upstream_cut")


@pytest.mark.parametrize("model", ["fails-401", "fails-403-key"])
async def test_that_daehwas_own_key_is_refused_is_no_fault_of_the_client(through: Door, model: str) -> None:
    async with AsyncOpenAI(**through._asdict(), max_retries=0) as client:
        refused = await record_async(client, Ask("", "chat.completions.create", {**HELLO, "model": model}))
    assert (refused["class"], refused["status"], refused["code"]) == ("InternalServerError", 502, "upstream_auth")
    assert KEY not in str(refused), "although the upstream said it"


HELPED: dict[str, Callable[[AsyncOpenAI], Awaitable[Any]]] = {
    "a parsed chat": lambda client: client.chat.completions.parse(**HELLO, response_format=Person),
    "a parsed response": lambda client: client.responses.parse(
        model="talks", input="Who?", text_format=Person, max_output_tokens=99
    ),
}


@pytest.mark.parametrize("name", HELPED)
async def test_structured_output_is_parsed(direct: Door, through: Door, name: str) -> None:
    async with both(direct, through) as (one, other):
        seen = [await HELPED[name](client) for client in (one, other)]
    assert seen[0] == seen[1]
    parsed = seen[0].output_parsed if name == "a parsed response" else seen[0].choices[0].message.parsed
    assert parsed == Person(name="Seoul", age=3)


async def test_the_packages_own_streams_grow_to_the_same(direct: Door, through: Door) -> None:
    async def chat(client: AsyncOpenAI) -> list[Any]:
        async with client.chat.completions.stream(**HELLO, tools=TOOLS) as stream:
            events = [event async for event in stream]
            return [*events, await stream.get_final_completion()]

    async def response(client: AsyncOpenAI) -> list[Any]:
        async with client.responses.stream(
            model="thinks", input="Who?", text_format=Person, max_output_tokens=99
        ) as stream:
            events = [event async for event in stream]
            return [*events, await stream.get_final_response()]

    async with both(direct, through) as (one, other):
        for ask in (chat, response):
            assert await ask(one) == await ask(other)


@pytest.mark.parametrize(("model", "asked"), [("fails-429", 3), ("fails-503", 3), ("fails-400", 1)])
async def test_retries_are_the_clients_own(home: Home, direct: Door, through: Door, model: str, asked: int) -> None:
    numbers = []
    async with both(direct, through, max_retries=2) as clients:
        for client in clients:
            before = len(home.upstream.requests)
            with pytest.raises(openai.APIStatusError):
                await client.chat.completions.create(**{**HELLO, "model": model})
            numbers.append(len(home.upstream.requests) - before)
            await client.chat.completions.create(**HELLO)
    assert numbers == [asked, asked]


async def test_every_request_has_an_id_and_the_upstreams_stands_beside_it(through: Door) -> None:
    async with AsyncOpenAI(**through._asdict(), max_retries=0) as client:
        answers = [await client.chat.completions.with_raw_response.create(**HELLO) for _ in range(2)]
        ids = {answer.headers["x-request-id"] for answer in answers}
        assert len(ids) == 2
        assert {answer.headers["x-upstream-request-id"] for answer in answers} == {"req_0123456789abcdef"}
        assert answers[0].parse()._request_id in ids


async def test_models_are_listed_under_their_full_names_and_found_by_short_ones(through: Door) -> None:
    async with AsyncOpenAI(**through._asdict(), max_retries=0) as client:
        listed = [model.id async for model in client.models.list()]
        assert set(listed) >= {f"double/{name}" for name in MODELS}
        for name in ("talks", "double/talks"):
            model = await client.models.retrieve(name)
            assert (model.id, model.object, model.owned_by) == (name, "model", "double")
        with pytest.raises(openai.NotFoundError) as refused:
            await client.models.retrieve("nobody")
        assert refused.value.code == "model_not_found"


async def test_a_client_that_leaves_ends_the_upstream_call(home: Home, through: Door) -> None:
    async def begun(client: AsyncOpenAI) -> None:
        stream = await client.chat.completions.create(**{**HELLO, "model": "fails-hanging"}, stream=True)
        async for _ in stream:
            break
        await stream.close()

    async with AsyncOpenAI(**through._asdict(), max_retries=0) as client:
        await asyncio.wait_for(begun(client), 10)
    request = home.upstream.turns[-1]
    await asyncio.wait_for(request.closed.wait(), 5)
    assert not request.answered.is_set()


async def test_nothing_stays_reserved(home: Home) -> None:
    assert (await home.spent()).reserved == 0
