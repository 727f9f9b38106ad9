"""The first answer without any key: by the small model in the package."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from browser.reader import Reader
from playwright.async_api import expect
from program import Program, serving

pytestmark = [pytest.mark.browser, pytest.mark.embedded, pytest.mark.asyncio(loop_scope="session")]

LENGTHS = """() => {
    window.lengths = new Set();
    const look = () => {
        const answer = [...document.querySelectorAll("article.answer .prose")].at(-1);
        if (answer) window.lengths.add(answer.textContent.length);
    };
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true });
}"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def program(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Program]:
    async with serving(tmp_path_factory.mktemp("home") / "data", {}) as running:
        yield running


async def test_the_embedded_model_answers_word_by_word(reader: Reader) -> None:
    await expect(reader.page.get_by_text("Trial model: small, English only, often wrong.")).to_be_visible()
    await reader.page.evaluate(LENGTHS)
    await reader.ask("Write three sentences about the sea.")
    await expect(reader.answer).to_have_attribute("aria-busy", "true")
    await expect(reader.answer.locator(".prose")).not_to_be_empty(timeout=30_000)
    await expect(reader.answer).to_have_attribute("aria-busy", "false", timeout=60_000)
    lengths = await reader.page.evaluate("[...window.lengths]")
    assert len(lengths) >= 5
    assert lengths == sorted(lengths)


async def test_the_page_says_how_to_connect_a_real_model(reader: Reader) -> None:
    await reader.press("Connect a real model")
    dialog = reader.page.get_by_role("dialog", name="Connect a real model")
    await expect(dialog).to_contain_text("OPENAI_API_KEY")
    await expect(dialog).to_contain_text("It is very small, understands English only and makes many mistakes.")
    await dialog.get_by_role("button", name="Close").click()
    await expect(dialog).to_have_count(0)
