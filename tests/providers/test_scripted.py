"""What the scripted provider promises to the tests that use it."""

import asyncio

import pytest

from daehwa.conversation.errors import ProviderCutError
from daehwa.conversation.events import Finished, TextDelta, UsageReported
from daehwa.conversation.messages import Usage
from daehwa.conversation.ports import GenerationRequest, PromptMessage
from daehwa.providers.scripted import ScriptedProvider, spoken

REQUEST = GenerationRequest(model="parrot", messages=(PromptMessage("user", "hello there"),))


async def test_without_a_script_it_says_the_question_back() -> None:
    provider = ScriptedProvider()
    events = [event async for batch in provider.generate(REQUEST) for event in batch]
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == "You said: hello there"
    assert Finished("stop") in events
    assert provider.requests == [REQUEST]
    assert provider.calls[0].ended.is_set()
    assert not provider.calls[0].closed


async def test_steps_wait_yield_and_raise_in_order() -> None:
    gate = asyncio.Event()
    provider = ScriptedProvider([[TextDelta("a")], gate, 0.0, [TextDelta("b")], ProviderCutError("Cut.")])
    stream = provider.generate(REQUEST)
    assert await anext(stream) == [TextDelta("a")]
    second = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    assert not second.done()
    gate.set()
    assert await second == [TextDelta("b")]
    with pytest.raises(ProviderCutError):
        await anext(stream)


async def test_it_knows_that_its_consumer_left() -> None:
    provider = ScriptedProvider(spoken("one two", usage=Usage(output=2)))
    stream = provider.generate(REQUEST)
    await anext(stream)
    await stream.aclose()
    assert provider.calls[0].closed
    assert provider.calls[0].ended.is_set()


async def test_a_spoken_script_joins_to_its_text() -> None:
    provider = ScriptedProvider(spoken("a  b c", usage=Usage(output=2)))
    events = [event async for batch in provider.generate(REQUEST) for event in batch]
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == "a  b c"
    assert events[-1] == UsageReported(Usage(output=2))
