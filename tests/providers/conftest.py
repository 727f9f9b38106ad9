"""Making a provider over a test upstream, impatient where tests would wait, and closing it again."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from providers.client_asks import settled

from daehwa.providers.embedded import EmbeddedProvider
from daehwa.providers.openai_wire import OpenAIWireProvider
from daehwa.providers.pacing import Beat
from daehwa.providers.upstream import Patience, Upstream
from daehwa.providers.upstream_client import UpstreamClient
from daehwa.providers.upstream_faults import Faults

KEY = "sk-test-1234567890abcdef"
IMPATIENT = Patience(retry_base=0.01)

Connect: TypeAlias = Callable[..., OpenAIWireProvider]
Make: TypeAlias = Callable[..., UpstreamClient]


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


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    """Make HTTP clients; in the end none may have left anything behind, nor asyncio complained."""
    clients: list[UpstreamClient] = []
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, told: complaints.append(told))

    def client(base_url: str, **settings: Any) -> UpstreamClient:
        upstream = Upstream(name="acme", base_url=base_url, **settings)
        clients.append(UpstreamClient(upstream, Faults(upstream), Beat(0.005)))
        return clients[-1]

    yield client
    for made in clients:
        await made.aclose()
    await settled(lambda: not any(made.connections.busy or made.connections.idle or made._drains for made in clients))
    assert complaints == []


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[EmbeddedProvider]:
    provider = EmbeddedProvider(data_folder=tmp_path)
    yield provider
    await provider.aclose()
