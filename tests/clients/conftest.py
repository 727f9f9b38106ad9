"""One home for a module's tests, and what its clients need to know."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from clients.home import Home, a_home
from openai_like.server import Door


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def home(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Home]:
    async with a_home(tmp_path_factory.mktemp("home")) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def through(home: Home) -> Door:
    """Daehwa, by a key that has a budget."""
    made = await home.make_key("clients", total=50_000_000)
    return Door(home.base_url, made["secret"])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def direct(home: Home) -> Door:
    """The upstream."""
    return home.upstream.door
