"""Making a provider over a test upstream, impatient where tests would wait, and closing it again."""

from collections.abc import AsyncIterator, Callable
from typing import Any, TypeAlias

import pytest

from daehwa.providers.openai_wire import OpenAIWireProvider
from daehwa.providers.upstream import Patience, Upstream

KEY = "sk-test-1234567890abcdef"
IMPATIENT = Patience(retry_base=0.01)

Connect: TypeAlias = Callable[..., OpenAIWireProvider]


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    made: list[OpenAIWireProvider] = []

    def make(base_url: str, **settings: Any) -> OpenAIWireProvider:
        patience = settings.pop("patience", IMPATIENT)
        settings = {"name": "acme", "key": KEY, **settings}
        made.append(OpenAIWireProvider(Upstream(base_url=base_url, patience=patience, **settings)))
        return made[-1]

    yield make
    for provider in made:
        await provider.aclose()
