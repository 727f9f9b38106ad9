"""The contract of providers, over the scripted one and the OpenAI wire."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest
from providers.contract import ProviderContract, Subject
from upstream import Answer, FakeUpstream, stream

from daehwa.providers.openai_wire import OpenAIWireProvider
from daehwa.providers.scripted import ScriptedProvider, spoken
from daehwa.providers.upstream import Upstream

WORDS = "one two three four five six seven eight nine ten"


class TestScriptedProvider(ProviderContract):
    @pytest.fixture
    async def subject(self) -> Subject:
        provider = ScriptedProvider(spoken(WORDS), pace=0.01)
        return Subject(provider, "parrot", lambda: provider.calls[-1].ended.wait())  # noqa: PLW0108 - the turn is not there yet - the last call then


class TestOpenAIWireProvider(ProviderContract):
    @pytest.fixture
    async def subject(self) -> AsyncIterator[Subject]:
        async with FakeUpstream(lambda _: Answer(stream(WORDS, pace=0.02))) as upstream:
            provider = OpenAIWireProvider(Upstream(name="test", base_url=upstream.base_url))
            yield Subject(provider, "gpt-test", lambda: upstream.turns[-1].closed.wait())  # noqa: PLW0108 - the turn is not there yet
            await provider.aclose()


if TYPE_CHECKING:
    from daehwa.conversation.ports import Provider

    PROVIDERS: list[type[Provider]] = [ScriptedProvider, OpenAIWireProvider]
