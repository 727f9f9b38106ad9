"""The server dies under an open page and comes back at the same address."""

import asyncio
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from browser.reader import Reader, Watch
from model import Model
from playwright.async_api import Browser, Locator, expect
from program import serving
from upstream import ROLE, text

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_an_answer_cut_off_by_a_dead_server_goes_on_after_its_restart(
    chromium: Browser, tmp_path: Path, model: Model
) -> None:
    settings = {"OPENAI_BASE_URL": model.upstream.base_url}
    model.says([ROLE, text("one two "), 60.0], "three four.")
    context = await chromium.new_context(locale="en-US")
    async with serving(tmp_path / "data", settings) as program:
        watch = Watch(program.address)
        watch.over(context)
        watch.expect("net::ERR_")
        reader = Reader(await context.new_page(), program.address, watch)
        await reader.open()
        await reader.ask("Count")
        await expect(reader.answer.locator(".prose")).to_have_text("one two")
        await on_disk(b"one two", tmp_path / "data")
        await program.kill()
        await expect(reader.banner).to_contain_text("The server cannot be reached.")
        await expect(reader.answer.locator(".prose")).to_have_text("one two")
        await expect(reader.answer).to_contain_text("Connection lost")
        assert await gap(reader.answer.locator(".prose"), reader.answer.locator(".waiting")) >= 8
    port = str(urlsplit(program.address).port)
    async with serving(tmp_path / "data", settings, "--port", port):
        await expect(reader.answer).to_contain_text("This answer was interrupted.", timeout=30_000)
        await expect(reader.banner).to_be_empty()
        await reader.press("Continue", reader.answer)
        await expect(reader.answer.locator(".prose")).to_have_text("one two three four.")
        await reader.ended()
        await context.close()
    assert watch.unexpected() == []
    assert len(model.questions) == 2


async def test_an_answer_of_which_nothing_was_stored_can_be_asked_for_again(
    chromium: Browser, tmp_path: Path, model: Model
) -> None:
    settings = {"OPENAI_BASE_URL": model.upstream.base_url}
    model.says([ROLE, 60.0], "Now it works.")
    context = await chromium.new_context(locale="en-US")
    async with serving(tmp_path / "data", settings) as program:
        reader = Reader(await context.new_page(), program.address, Watch(program.address))
        await reader.open()
        await reader.ask("Count")
        await expect(reader.answer).to_contain_text("Waiting for the first word…")
        await program.kill()
    async with serving(tmp_path / "data", settings, "--port", str(urlsplit(program.address).port)):
        await expect(reader.answer).to_contain_text("This answer was interrupted.", timeout=30_000)
        await reader.press("Try again", reader.answer)
        await expect(reader.answer.locator(".prose")).to_have_text("Now it works.")
        await context.close()


async def gap(above: Locator, below: Locator) -> float:
    """Return the pixels between what stands above and what stands below it."""
    first, second = await above.bounding_box(), await below.bounding_box()
    assert first is not None
    assert second is not None
    return second["y"] - first["y"] - first["height"]


async def on_disk(text: bytes, folder: Path) -> None:
    """Wait for the checkpoint that holds this text."""
    async with asyncio.timeout(5):
        while not holds(folder, text):  # noqa: ASYNC110 - a file tells nobody that it changed
            await asyncio.sleep(0.05)


def holds(folder: Path, text: bytes) -> bool:
    return any(text in file.read_bytes() for file in folder.iterdir())
