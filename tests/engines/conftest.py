"""Firefox and WebKit in front of the real program, with a model that does as it is told."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from engines.starting import ENGINES, started
from engines.tab import Tab
from model import Model
from program import Program, serving_page
from scripts.engines import HOW_TO_INSTALL, missing


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def played() -> AsyncIterator[Model]:
    model = Model()
    async with model.upstream:
        yield model


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def program(tmp_path_factory: pytest.TempPathFactory, played: Model) -> AsyncIterator[Program]:
    async with serving_page(tmp_path_factory.mktemp("home"), played.upstream.base_url) as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session", params=ENGINES)
async def opened(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, program: Program
) -> AsyncIterator[Tab]:
    """One browser for all tests of an engine: to start one takes as long as three of them."""
    if lacking := missing():
        pytest.fail(f"There is no {', '.join(lacking)} for the tests in other engines. {HOW_TO_INSTALL}", pytrace=False)
    async with started(request.param, tmp_path_factory.mktemp(request.param)) as driver:
        yield Tab(driver, program.address)


@pytest.fixture
def model(played: Model) -> Model:
    return played


@pytest_asyncio.fixture(loop_scope="session")
async def tab(opened: Tab, played: Model) -> AsyncIterator[Tab]:
    """A new conversation; at the end nothing must have been said on the console."""
    played.forget()
    await opened.resize(1200, 900)
    await opened.open()
    await opened.js("localStorage.clear()")
    await opened.open()
    await opened.find("textbox", "Message")
    await opened.driver.said()
    yield opened
    assert await opened.driver.said() == []
