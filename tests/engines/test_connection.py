"""A server that is away for a while, in Firefox and in WebKit: what was asked is sent, and what was not fetched is."""

from pathlib import Path

import pytest
from browser.samples import MARKDOWN
from engines.tab import Tab
from engines.walking import ask_to_end, ended
from model import Model
from program import serving

pytestmark = [pytest.mark.engines, pytest.mark.asyncio(loop_scope="session")]


async def test_what_could_not_be_fetched_or_sent_is_when_the_server_is_back(
    tab: Tab, model: Model, tmp_path: Path
) -> None:
    settings = {"OPENAI_BASE_URL": model.upstream.base_url}
    model.says(f"{MARKDOWN}\n\n$$\\frac{{a}}{{b}}$$")
    async with serving(tmp_path / "data", settings) as program:
        port = program.address.rpartition(":")[2]
        away = Tab(tab.driver, program.address)
        await away.open()
        await away.sees("document.activeElement.id === 'message'")
        await program.kill()
        await away.write("Are you there?")
        await away.press("Enter")
        await away.sees("document.querySelector('main').innerText.includes('Not sent yet.')")
    async with serving(tmp_path / "data", settings, "--port", port):
        await away.sees("document.querySelector('article.answer')?.ariaBusy === 'false'", seconds=30)
        await ended(away)
        await ask_to_end(away, "Good.")
        await away.sees("[...document.querySelectorAll('article.answer')].every((one) => one.querySelector('math'))")
        await tab.driver.call("Navigate", url="about:blank")
    said = await tab.driver.said()
    assert [line for line in said if "Loading failed" not in line and "Could not connect" not in line] == []
