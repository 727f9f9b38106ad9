"""What the page says where a model is missing, and that it finds out by itself when one is there."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from browser.reader import Reader, Readers
from model import Model
from playwright.async_api import Route, expect
from program import Program, serving
from upstream import error

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

REFUSED = {"provider": "openai", "type": "upstream_auth", "message": "Incorrect API key provided: sk-***."}
TRIAL = {"id": "embedded/small", "name": "small", "provider": "embedded", "trial": True}
OTHER = {"id": "here/other", "name": "other", "provider": "here"}
ALIAS = {"id": "fast", "name": "fast", "provider": "routes"}
REAL = {"id": "openai/gpt-test", "name": "gpt-test", "provider": "openai"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def program(tmp_path_factory: pytest.TempPathFactory, played: Model) -> AsyncIterator[Program]:
    played.upstream.models = error(401, "Incorrect API key provided.")
    settings = {"OPENAI_BASE_URL": played.upstream.base_url}
    async with serving(tmp_path_factory.mktemp("home") / "data", settings) as running:
        yield running


class Listing:
    """What `GET /api/models` answers, as a test sets it."""

    def __init__(self) -> None:
        self.body: dict[str, Any] = {}
        self.offers()

    def offers(self, *models: dict[str, Any], problems: tuple[dict[str, Any], ...] = ()) -> None:
        """List these models, the first by default, and these problems."""
        self.body = {"models": models, "default": models[0]["id"] if models else None, "problems": problems}

    async def answer(self, route: Route) -> None:
        """Answer a request of the page's."""
        await route.fulfill(json=self.body)


@pytest_asyncio.fixture(loop_scope="session")
async def listing(reader: Reader) -> AsyncIterator[Listing]:
    listed = Listing()
    await reader.page.route("**/api/models", listed.answer)
    yield listed


async def test_the_real_reason_is_said(reader: Reader) -> None:
    notice = reader.page.get_by_test_id("model-notice")
    await expect(notice).to_contain_text("openai cannot be asked: it does not accept the API key.")
    await notice.get_by_text("What the server said").click()
    await expect(notice.locator(".detail")).to_contain_text("Incorrect API key provided.")


async def test_aliases_have_a_heading_in_the_pages_language(reader: Reader, listing: Listing) -> None:
    listing.offers(ALIAS, REAL)
    await reader.page.reload()
    groups = reader.page.get_by_role("combobox", name="Model").locator("optgroup")
    await expect(groups).to_have_count(2)
    assert [await group.get_attribute("label") for group in await groups.all()] == ["Routes", "openai"]


async def test_a_model_that_is_gone_is_missed_where_another_answers(reader: Reader, listing: Listing) -> None:
    listing.offers(OTHER, REAL)
    await reader.page.reload()
    await reader.page.get_by_role("combobox", name="Model").select_option("gpt-test")
    listing.offers(OTHER, problems=(REFUSED,))
    await reader.page.reload()
    await expect(reader.page.get_by_test_id("model-notice")).to_contain_text("openai cannot be asked")
    await reader.page.get_by_role("combobox", name="Model").select_option("other")
    await expect(reader.page.get_by_test_id("model-notice")).to_have_count(0)


async def test_the_reason_is_said_and_goes_when_the_model_comes(reader: Reader, listing: Listing) -> None:
    listing.offers(problems=(REFUSED,))
    await reader.page.reload()
    notice = reader.page.get_by_test_id("model-notice")
    await expect(notice).to_contain_text("openai cannot be asked: it does not accept the API key.")
    await notice.get_by_text("What the server said").click()
    await expect(notice.get_by_text("Incorrect API key provided: sk-***.")).to_be_visible()
    listing.offers(REAL)
    await expect(notice).to_have_count(0)
    await expect(reader.page.get_by_role("combobox", name="Model")).to_contain_text("gpt-test")


async def test_a_real_model_that_is_gone_is_missed_beside_the_small_one(reader: Reader, listing: Listing) -> None:
    listing.offers(TRIAL, problems=(REFUSED,))
    await reader.page.reload()
    await expect(reader.page.get_by_test_id("model-notice")).to_contain_text("openai cannot be asked")
    await expect(reader.page.get_by_text("Trial model: small, English only, often wrong.")).to_be_visible()
    listing.offers(TRIAL)
    await expect(reader.page.get_by_test_id("model-notice")).to_have_count(0)


async def test_a_small_model_that_is_not_there_is_not_praised(reader: Reader, listing: Listing) -> None:
    listing.offers(TRIAL | {"state": "unavailable", "detail": "Run: daehwa fetch-model"})
    await reader.page.reload()
    await expect(reader.page.get_by_test_id("model-notice")).to_contain_text("small cannot be used right now.")
    await expect(reader.page.get_by_text("Trial model:")).to_have_count(0)
    await reader.press("Connect a real model")
    dialog = reader.page.get_by_role("dialog", name="Connect a real model")
    await expect(dialog).to_contain_text("OPENAI_API_KEY")
    await expect(dialog).not_to_contain_text("came with daehwa")


async def test_korean_reasons(readers: Readers) -> None:
    reader = await readers(locale="ko-KR")
    listed = Listing()
    listed.offers(problems=(REFUSED, {"provider": "embedded", "type": "model_not_installed", "message": ""}))
    await reader.page.route("**/api/models", listed.answer)
    await reader.page.reload()
    notice = reader.page.get_by_test_id("model-notice")
    await expect(notice).to_contain_text("openai에 물어볼 수 없어요. API 키를 받아들이지 않아요.")
    await expect(notice.locator("code")).to_have_text("daehwa fetch-model")
