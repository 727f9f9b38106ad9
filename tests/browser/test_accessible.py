"""axe-core finds nothing, in any state; what it cannot see is held here too."""

import json
from typing import Any

import pytest
from browser.accessibility import faults
from browser.reader import PHONE, Reader, Readers
from browser.samples import MARKDOWN
from model import Model
from playwright.async_api import expect
from upstream import CUT, ROLE, text

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("device", ["wide", "phone"])
async def test_the_page_in_its_states(readers: Readers, model: Model, axe: str, scheme: str, device: str) -> None:
    options: dict[str, Any] = PHONE if device == "phone" else {}
    reader = await readers(color_scheme=scheme, **options)
    seen = {"empty": await faults(reader, axe)}
    model.says(MARKDOWN, [ROLE, text("Half"), 0.1, CUT])
    await reader.ask_to_end("Show me")
    await expect(reader.answer.locator("pre code span").first).to_be_attached()
    seen["conversation"] = await faults(reader, axe)
    await reader.ask_to_end("And more")
    seen["interrupted"] = await faults(reader, axe)
    if device == "phone":
        await reader.press("Show conversations")
        seen["drawer"] = await faults(reader, axe)
    await reader.search.fill("show")
    await expect(reader.hits.first).to_be_visible()
    seen["search"] = await faults(reader, axe)
    await reader.search.fill("")
    await reader.press("Settings", reader.sidebar)
    seen["settings"] = await faults(reader, axe)
    await reader.press("Connect another model")
    await expect(reader.page.get_by_role("dialog", name="Connect another model")).to_be_visible()
    seen["connect"] = await faults(reader, axe)
    await reader.page.keyboard.press("Escape")
    await reader.press("Keyboard shortcuts")
    seen["help"] = await faults(reader, axe)
    await reader.page.keyboard.press("Escape")
    assert seen == {state: [] for state in seen}, json.dumps(seen, indent=1)


async def test_menus_edits_and_notes(reader: Reader, model: Model, axe: str) -> None:
    model.title = "With a menu"
    await reader.ask_to_end("Anything")
    await reader.row("With a menu").hover()
    await reader.row("With a menu").get_by_role("button").click()
    await expect(reader.page.get_by_role("menuitem", name="Rename")).to_be_focused()
    assert await faults(reader, axe) == []
    await reader.page.keyboard.press("Escape")
    await reader.press("Edit the question", reader.question)
    assert await faults(reader, axe) == []
    await reader.page.keyboard.press("Escape")
    await reader.choose(reader.row("With a menu"), "Delete")
    await expect(reader.page.get_by_role("button", name="Undo")).to_be_visible()
    assert await faults(reader, axe) == []


async def test_a_waiting_and_a_failed_answer(reader: Reader, model: Model, axe: str) -> None:
    model.says([ROLE, 30.0])
    await reader.ask("Take your time")
    await expect(reader.answer).to_contain_text("Waiting for the first word…")
    assert await faults(reader, axe) == []
    await reader.page.context.set_offline(True)
    reader.watch.expect("net::ERR_")
    await expect(reader.banner).to_contain_text("You are offline.")
    assert await faults(reader, axe) == []


async def test_a_dialog_gives_the_focus_back(reader: Reader) -> None:
    button = reader.sidebar.get_by_role("button", name="Settings")
    await button.focus()
    await reader.page.keyboard.press("Enter")
    dialog = reader.page.get_by_role("dialog", name="Settings")
    await expect(dialog).to_be_visible()
    for _ in range(12):
        await reader.page.keyboard.press("Tab")
        assert not await reader.page.evaluate("Boolean(document.activeElement.closest('nav, main'))")
    await reader.page.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)
    await expect(button).to_be_focused()


async def test_a_text_is_selected_to_beyond_the_edge_of_its_dialog(reader: Reader) -> None:
    await reader.press("Settings", reader.sidebar)
    await reader.press("Connect another model")
    dialog = reader.page.get_by_role("dialog", name="Connect another model")
    line = await dialog.locator("code").first.bounding_box()
    edge = await dialog.bounding_box()
    assert line is not None
    assert edge is not None
    middle = line["y"] + line["height"] / 2
    await reader.page.mouse.move(line["x"] + 80, middle)
    await reader.page.mouse.down()
    await reader.page.mouse.move(edge["x"] - 50, middle, steps=4)
    await reader.page.mouse.up()
    await expect(dialog).to_be_visible()
    await reader.page.mouse.click(edge["x"] - 50, middle)
    await expect(dialog).to_have_count(0)


async def test_all_can_be_done_by_keyboard(reader: Reader, model: Model) -> None:
    model.title = "By keyboard"
    await expect(reader.box).to_be_focused()
    await reader.page.keyboard.type("A question")
    await reader.page.keyboard.press("Enter")
    await reader.ended()
    await expect(reader.box).to_be_focused()
    await reader.row("By keyboard").get_by_role("link").focus()
    await reader.page.keyboard.press("Tab")
    await reader.page.keyboard.press("Enter")
    await expect(reader.page.get_by_role("menuitem", name="Rename")).to_be_focused()
    await reader.page.keyboard.press("ArrowDown")
    await expect(reader.page.get_by_role("menuitem", name="Pin")).to_be_focused()
    await reader.page.keyboard.press("Enter")
    await expect(reader.sidebar.get_by_role("list", name="Pinned")).to_be_visible()
    await reader.page.keyboard.press("Shift+Escape")
    await expect(reader.box).to_be_focused()
    await reader.page.keyboard.press("Control+/")
    await expect(reader.page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_page_without_a_model(readers: Readers, axe: str, scheme: str) -> None:
    reader = await readers(color_scheme=scheme)
    refused = {"provider": "openai", "type": "upstream_auth", "message": "Incorrect API key provided."}
    missing = {"provider": "embedded", "type": "model_not_installed", "message": "Not installed."}
    listing = {"models": [], "default": None, "problems": [refused, missing]}
    await reader.page.route("**/api/models", lambda route: route.fulfill(json=listing))
    await reader.page.reload()
    await reader.page.get_by_test_id("model-notice").get_by_text("What the server said").click()
    assert await faults(reader, axe) == []
