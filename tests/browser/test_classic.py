"""A page in the manner of the 2023 demo's, unchanged in a folder of its own: it asks `/chat` and shows what comes."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from openai_like.server import OpenAiLike
from openai_like.wording import KEY
from playwright.async_api import Browser, Page, expect
from program import Program, serving

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

PAGE = """\
<!DOCTYPE html>
<html lang="en">
  <head><meta charset="UTF-8"><title>Web Chat</title><link rel="stylesheet" href="style.css"></head>
  <body>
    <div id="log"></div><input id="text"><i id="send">send</i>
    <script src="chat.js"></script>
    <script id="inline">document.title = "Ready";</script>
  </body>
</html>
"""
SCRIPT = """\
send.addEventListener("click", () => {
  const xhr = new XMLHttpRequest();
  xhr.open("POST", "/chat", true);
  xhr.onreadystatechange = () => {
    if (xhr.readyState !== 4 || xhr.status !== 200) return;
    const { statusCode, msg } = JSON.parse(xhr.responseText);
    log.innerHTML += `<p>${statusCode}: ${msg}</p>`;
  };
  xhr.send(new Blob([JSON.stringify({ msgId: "1", text: text.value })], { type: "application/json" }));
});
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("demo")
    for name, content in {"chat.html": PAGE, "chat.js": SCRIPT, "style.css": "p { color: rgb(1, 2, 3) }"}.items():
        (made / name).write_text(content, "utf-8")
    return made


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def program(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> AsyncIterator[Program]:
    async with OpenAiLike() as upstream:
        settings = {"OPENAI_BASE_URL": upstream.base_url, "OPENAI_API_KEY": KEY, "DAEHWA_DEFAULT_MODEL": "openai/talks"}
        settings["DAEHWA_CLASSIC_FOLDER"] = str(folder)
        async with serving(tmp_path_factory.mktemp("home") / "data", settings) as running:
            yield running


@pytest_asyncio.fixture(loop_scope="session")
async def page(chromium: Browser, program: Program) -> AsyncIterator[Page]:
    context = await chromium.new_context()
    opened = await context.new_page()
    await opened.goto(f"{program.address}/classic/chat.html")
    yield opened
    await context.close()


async def test_it_shows_the_answer_and_what_goes_wrong(page: Page) -> None:
    await expect(page).to_have_title("Ready")
    await page.locator("#text").fill("안녕하세요")
    await page.locator("#send").click()
    answer = page.locator("#log p").first
    await expect(answer).to_contain_text("200: You (user) said: 안녕하세요")
    await expect(answer).to_have_css("color", "rgb(1, 2, 3)")
    await page.locator("#text").fill(" ")
    await page.locator("#send").click()
    await expect(page.locator("#log p").last).to_have_text("400: The text is empty. Write something to ask.")


async def test_a_script_within_an_answer_does_not_run(page: Page) -> None:
    await page.evaluate(
        """() => new Promise((has_failed) => {
            log.innerHTML = '<img src="nothing" onerror="document.title = 1">';
            log.querySelector("img").addEventListener("error", () => has_failed());
        })"""
    )
    await expect(page).to_have_title("Ready")
