"""What every provider promises, whatever it is made of: the docstrings of `Provider`, as tests."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass

import pytest

from daehwa.conversation.errors import ProviderError
from daehwa.conversation.events import Finished, ProviderEvent, TextDelta, UsageReported
from daehwa.conversation.ports import GenerationRequest, PromptMessage, Provider


@dataclass
class Subject:
    """A provider under test. `ended` returns when its last call has really ended on the other side."""

    provider: Provider
    model: str
    ended: Callable[[], Awaitable[object]]


def question(text: str = "Say hello.", model: str = "gpt-test") -> GenerationRequest:
    return GenerationRequest(model=model, messages=(PromptMessage("user", text),))


async def all_events(provider: Provider, request: GenerationRequest) -> list[ProviderEvent]:
    return [event async for batch in provider.generate(request) for event in batch]


def said(events: list[ProviderEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


class ProviderContract:
    """Subclass it and give it a `subject` fixture whose replies take a while."""

    END_SECONDS = 0.2

    async def test_its_models_carry_its_name(self, subject: Subject) -> None:
        models = await subject.provider.models()
        assert f"{subject.provider.name}/{subject.model}" in [model.id for model in models]
        assert {model.provider for model in models} == {subject.provider.name}

    async def test_a_reply_has_text_one_finish_and_usage(self, subject: Subject) -> None:
        events = await all_events(subject.provider, question(model=subject.model))
        assert said(events)
        assert [event for event in events if isinstance(event, Finished)] == [Finished("stop")]
        assert any(isinstance(event, UsageReported) and event.usage.output for event in events)

    async def test_no_batch_is_empty(self, subject: Subject) -> None:
        batches = [batch async for batch in subject.provider.generate(question(model=subject.model))]
        assert batches
        assert all(batches)

    async def test_closing_the_iterator_ends_the_call(self, subject: Subject) -> None:
        stream = subject.provider.generate(question(model=subject.model))
        await anext(stream)
        assert isinstance(stream, AsyncGenerator)
        await stream.aclose()
        async with asyncio.timeout(self.END_SECONDS):
            await subject.ended()

    async def test_cancelling_its_consumer_ends_the_call(self, subject: Subject) -> None:
        begun = asyncio.Event()

        async def consume() -> None:
            async for _ in subject.provider.generate(question(model=subject.model)):
                begun.set()

        task = asyncio.ensure_future(consume())
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(self.END_SECONDS):
            await subject.ended()

    async def test_many_replies_at_once(self, subject: Subject) -> None:
        request = question(model=subject.model)
        replies = await asyncio.gather(*(all_events(subject.provider, request) for _ in range(3)))
        assert all(said(events) for events in replies)

    async def test_closing_it_twice_is_fine(self, subject: Subject) -> None:
        await subject.provider.aclose()
        await subject.provider.aclose()


async def fault_of(
    provider: Provider, request: GenerationRequest | None = None, *, after: list[ProviderEvent] | None = None
) -> ProviderError:
    """Return the error that the reply ends in; `after` collects the events before it."""

    async def collect() -> None:
        async for batch in provider.generate(request or question()):
            if after is not None:
                after.extend(batch)

    with pytest.raises(ProviderError) as caught:
        await collect()
    return caught.value
