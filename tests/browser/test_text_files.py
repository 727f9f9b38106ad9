"""Text files in a question: chosen, dropped or pasted; a file that is dropped elsewhere leaves the page where it is."""

import asyncio
import json

import pytest
from browser.accessibility import faults
from browser.files import add, bring, file
from browser.reader import PHONE, Reader, Readers, comes_true
from model import Model
from playwright.async_api import Locator, Route, expect

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

LOG = file("server.log", b"one\ntwo\n", "text/plain")
FILM = file("film.mp4", b"\0\0\0\x18ftypmp42\0", "video/mp4")
SHOWN = "\n\nserver.log:\n\n```\none\ntwo\n```"
IN_VIEW = """(word) => {
    const text = document.querySelector(".bubble").firstChild;
    const range = document.createRange();
    range.setStart(text, text.data.indexOf(word));
    range.setEnd(text, text.data.indexOf(word) + word.length);
    const { top, bottom } = range.getBoundingClientRect();
    return 0 < top && bottom < innerHeight;
}"""


async def height(element: Locator) -> float:
    box = await element.bounding_box()
    assert box is not None
    return box["height"]


async def test_chosen_files_stand_below_what_is_written_and_are_asked(reader: Reader, model: Model, axe: str) -> None:
    await reader.box.fill("What went wrong?")
    await add(reader, LOG, FILM)
    await expect(reader.box).to_have_value(f"What went wrong?{SHOWN}")
    await expect(reader.box).to_be_focused()
    note = reader.page.locator("#composer-note")
    await expect(note).to_have_text("“film.mp4” is no image and no text, so it cannot be added.")
    assert await faults(reader, axe) == []
    await reader.page.keyboard.type(" Be brief.")
    await expect(note).to_have_text("")
    await reader.page.keyboard.press("Enter")
    await reader.ended()
    asked = json.loads((await model.question()).body)["messages"]
    assert asked[-1]["content"] == f"What went wrong? Be brief.{SHOWN}"
    await add(reader, LOG)
    await reader.press("Send")
    await reader.ended()
    asked = json.loads((await model.question()).body)["messages"]
    assert asked[-1]["content"] == SHOWN.lstrip(), "a file is a question too"


async def test_dropped_and_pasted_files_are_taken_and_kept_as_a_draft(reader: Reader) -> None:
    assert await bring(reader, "dragover", file("server.log", b"one\ntwo", ""))
    await expect(reader.page.locator("form.composer.over")).to_be_visible()
    assert await bring(reader, "drop", file("server.log", b"one\ntwo", ""), to="main")
    await expect(reader.box).to_have_value(SHOWN)
    await expect(reader.page.locator("form.composer.over")).to_have_count(0)
    assert await bring(reader, "paste", file("b.csv", b"1,2", ""))
    await expect(reader.box).to_have_value(f"{SHOWN}\n\nb.csv:\n\n```csv\n1,2\n```")
    await reader.page.reload()
    await expect(reader.box).to_have_value(f"{SHOWN}\n\nb.csv:\n\n```csv\n1,2\n```")


async def test_a_file_that_is_dropped_where_nothing_takes_it_leaves_the_page(readers: Readers) -> None:
    reader = await readers(**PHONE)
    await reader.page.goto(f"{reader.address}/#/usage")
    await expect(reader.page.get_by_role("heading", name="Usage and costs", level=1)).to_be_visible()
    for kind in ("dragover", "drop"):
        assert await bring(reader, kind, file("server.log", b"one", ""), to="main")
    await reader.page.goto(f"{reader.address}/#/")
    await expect(reader.box).to_have_value("")


async def test_what_the_server_does_not_give_is_told_and_asked_for_again(reader: Reader) -> None:
    reader.watch.expect("net::ERR_FAILED")
    for pattern in ("**/assets/text-files*", "**/assets/PageDialog*"):
        await reader.page.route(pattern, lambda route: route.abort())
    await reader.box.fill("Why?")
    await add(reader, LOG)
    await expect(reader.page.locator("#composer-note")).to_contain_text("could not be loaded")
    await reader.press("Settings", reader.sidebar)
    await expect(reader.page.locator(".toast")).to_contain_text("could not be loaded")
    await reader.page.unroute_all()
    await add(reader, LOG)
    await expect(reader.box).to_have_value(f"Why?{SHOWN}")
    await reader.press("Settings", reader.sidebar)
    await expect(reader.page.get_by_role("dialog", name="Settings")).to_be_visible()


async def test_a_long_question_shows_how_it_begins_and_all_of_it_where_a_search_leads(reader: Reader, axe: str) -> None:
    lines = "\n".join(f"line {number}" for number in range(400))
    await reader.box.fill(f"{lines}\nzebra crossing")
    await reader.page.keyboard.press("Enter")
    await reader.ended()
    bubble, whole = reader.question.locator(".bubble"), reader.question.get_by_role("button", name="Show all of it")
    await expect(whole).to_have_attribute("aria-expanded", "false")
    folded = await height(bubble)
    assert folded < 450, "half a screen at most"
    await expect(bubble).to_contain_text("zebra crossing")
    assert await faults(reader, axe) == []
    await whole.click()
    assert await height(bubble) > 20 * folded / 2
    await reader.question.get_by_role("button", name="Show less").click()
    await expect(reader.question.get_by_role("button", name="Show all of it")).to_be_in_viewport()
    assert await height(bubble) == folded

    await reader.press("New conversation")
    await reader.sidebar.get_by_role("searchbox").fill("zebra")
    await reader.sidebar.get_by_role("link").filter(has_text="zebra").click()
    await expect(reader.question.get_by_role("button", name="Show less")).to_be_visible()
    await comes_true(reader.page, IN_VIEW, "zebra")  # a frame or two after it is unfolded


async def test_a_file_that_is_read_too_late_goes_nowhere_else(reader: Reader) -> None:
    go = asyncio.Event()

    async def late(route: Route) -> None:
        await go.wait()
        await route.continue_()

    await reader.page.route("**/text-files-*.js", late)
    await reader.box.fill("What went wrong?")
    async with reader.page.expect_request("**/text-files-*.js"):
        await add(reader, LOG)
    await reader.page.goto(f"{reader.address}/#/usage")
    await expect(reader.page.get_by_role("heading", name="Usage and costs", level=1)).to_be_visible()
    async with reader.page.expect_response("**/text-files-*.js"):
        go.set()
    await reader.page.goto(f"{reader.address}/#/")
    await expect(reader.box).to_have_value("What went wrong?")
