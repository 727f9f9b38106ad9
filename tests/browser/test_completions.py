"""A model that only goes on with a prompt, chosen and asked in the page as any other."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from browser.reader import Readers
from openai_like.server import OpenAiLike
from openai_like.wording import KEY
from playwright.async_api import expect
from program import Program, serving

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

SETTINGS = """\
[[providers]]
name = "double"
base_url = "{base_url}"
api_key_env = "DOUBLE_KEY"
models = ["talks", "writes-instruct"]
completion_models = ["writes-instruct"]
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def upstream() -> AsyncIterator[OpenAiLike]:
    async with OpenAiLike() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def program(tmp_path_factory: pytest.TempPathFactory, upstream: OpenAiLike) -> AsyncIterator[Program]:
    folder = tmp_path_factory.mktemp("home")
    (folder / "daehwa.toml").write_text(SETTINGS.format(base_url=upstream.base_url), "utf-8")
    async with serving(folder / "data", {"DOUBLE_KEY": KEY}) as running:
        yield running


async def test_the_transcript_becomes_a_prompt_and_its_answer_streams(readers: Readers, upstream: OpenAiLike) -> None:
    reader = await readers()
    await reader.page.get_by_role("combobox", name="Model").select_option("double/writes-instruct")
    await reader.ask_to_end("Once upon a time")
    await expect(reader.answer).to_contain_text("and so it goes on, after")
    await expect(reader.answer).to_contain_text("writes-instruct")
    await reader.ask_to_end("And then?")
    requests = [request for request in upstream.requests if request.method == "POST"]
    assert [request.path for request in requests] == ["/v1/completions"] * 2, "and nobody was asked for a title"
    asked = requests[-1].json
    assert (asked["model"], asked["stream"]) == ("writes-instruct", True)
    for said in ("Once upon a time", "and so it goes on, after", "And then?"):
        assert said in asked["prompt"]
    assert asked["prompt"].endswith("Assistant:")
    assert asked["stop"]
    await expect(reader.row("Once upon a time")).to_be_visible()
