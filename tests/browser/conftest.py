"""A real Chromium in front of the real program, with a model that does as it is told."""

import shutil
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from browser.accessibility import axe_core
from browser.household import Household, Member, Members, a_household
from browser.porter import Porter
from browser.reader import Reader, Readers, Watch, leave
from browser.turns import LONG, conversation_of
from browser.visitor import COUNT_DIALOGS, SHIFTS, WATCH_VIEWS, Visitor, Visits
from model import Model
from playwright.async_api import Browser, async_playwright, expect
from program import Program, serving_page
from scripts.chromium import machine_chromium

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
expect.set_options(timeout=20_000)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        path = machine_chromium() or shutil.which(playwright.chromium.executable_path)
        if path is None:
            pytest.fail("There is no Chromium for the browser tests: python scripts/chromium.py installs one.", False)
        browser = await playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def played() -> AsyncIterator[Model]:
    model = Model()
    async with model.upstream:
        yield model


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def program(tmp_path_factory: pytest.TempPathFactory, played: Model) -> AsyncIterator[Program]:
    async with serving_page(tmp_path_factory.mktemp("home"), played.upstream.base_url) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def long(program: Program, played: Model) -> str:
    """Return where a long conversation is."""
    played.forget()
    return await conversation_of(program, LONG)


@pytest.fixture(scope="session")
def axe() -> str:
    return axe_core()


@pytest.fixture
def model(played: Model) -> Model:
    played.forget()
    return played


@pytest_asyncio.fixture(loop_scope="session")
async def readers(chromium: Browser, program: Program) -> AsyncIterator[Readers]:
    """Open the page as somebody with this browser; at the end nothing must have gone wrong behind its back."""
    contexts = []
    watch = Watch(program.address)

    async def open_page(path: str = "/", **options: Any) -> Reader:
        wide = {"viewport": {"width": 1280, "height": 800}, "locale": "en-US"}
        context = await chromium.new_context(**{**wide, **options})
        contexts.append(context)
        watch.over(context)
        reader = Reader(await context.new_page(), program.address, watch)
        await reader.open(path)
        return reader

    yield open_page
    for context in contexts:
        await leave(context)
    assert watch.unexpected() == []


@pytest_asyncio.fixture(loop_scope="session")
async def reader(readers: Readers) -> Reader:
    return await readers()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def household(tmp_path_factory: pytest.TempPathFactory, played: Model) -> AsyncIterator[Household]:
    """A site with accounts of its own, and nobody there yet."""
    settings = {"OPENAI_BASE_URL": played.upstream.base_url}
    async with a_household(tmp_path_factory.mktemp("home"), settings) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def members(chromium: Browser, household: Household) -> AsyncIterator[Members]:
    """Open that site's page as somebody with this browser; at the end nothing unexpected must have gone wrong."""
    contexts = []
    watch = Watch(household.address)
    watch.expect("status of 40[0149]")

    async def open_page(path: str = "/", **options: Any) -> Member:
        wide = {"viewport": {"width": 1280, "height": 800}, "locale": "en-US"}
        context = await chromium.new_context(**{**wide, **options})
        contexts.append(context)
        watch.over(context)
        member = Member(await context.new_page(), household.address, watch)
        await member.goes_to(path)
        return member

    yield open_page
    for context in contexts:
        await leave(context)
    assert watch.unexpected() == []


@pytest_asyncio.fixture(loop_scope="session")
async def visits(chromium: Browser, program: Program) -> AsyncIterator[Visits]:
    """Open a browser of one's own, signed in or not; at the end nothing unexpected must have gone wrong in it."""
    contexts = []
    watch = Watch(program.address)
    watch.expect("status of 401")

    async def visit(person: dict[str, str] | None = None, **options: Any) -> Visitor:
        wide = {"viewport": {"width": 1280, "height": 800}, "locale": "en-US"}
        context = await chromium.new_context(**{**wide, **options})
        contexts.append(context)
        watch.over(context)
        porter = Porter(person)
        await porter.stand_before(context)
        visitor = Visitor(Reader(await context.new_page(), program.address, watch), porter)
        await visitor.page.add_init_script(f"({WATCH_VIEWS})(); ({SHIFTS})(); ({COUNT_DIALOGS})()")
        await visitor.goes_to()
        return visitor

    yield visit
    for context in contexts:
        await leave(context)
    assert watch.unexpected() == []
