"""What a person wants models to heed: written on its screen, kept, and told before the next question."""

import json

import pytest
from browser.accessibility import faults
from browser.reader import PHONE, Reader, Readers
from model import Model
from playwright.async_api import Locator, expect

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

OWN = "Answer as a pirate would."


def box_of(reader: Reader) -> Locator:
    return reader.page.get_by_role("textbox", name="What should models know and heed?")


async def opened(reader: Reader) -> Locator:
    await reader.press("Settings", reader.sidebar)
    await reader.page.get_by_role("dialog", name="Settings").get_by_role("link", name="Instructions").click()
    await expect(reader.page.get_by_role("heading", name="Instructions", level=1)).to_be_focused()
    return box_of(reader)


async def told(reader: Reader, model: Model) -> list[str]:
    """Ask something; return what the model was told before it."""
    await reader.press("New conversation")
    await reader.ask_to_end("Where is the gold?")
    asked = json.loads((await model.question()).body)["messages"]
    return [message["content"] for message in asked if message["role"] == "system"]


async def test_what_is_saved_is_told_from_the_next_question_on(reader: Reader, model: Model, axe: str) -> None:
    box = await opened(reader)
    save = reader.page.get_by_role("button", name="Save")
    await expect(save).to_have_attribute("aria-disabled", "true")
    await box.fill(OWN)
    await reader.page.keyboard.press("Enter")
    await expect(box, "it is a text of several lines").to_have_value(f"{OWN}\n")
    assert await faults(reader, axe) == []
    await save.click()
    await expect(reader.page.locator(".toast")).to_contain_text("Saved.")
    await expect(box).to_have_value(OWN)
    await expect(save).to_have_attribute("aria-disabled", "true")
    assert await told(reader, model) == [OWN]

    await (await opened(reader)).fill("")
    await save.click()
    await expect(reader.page.locator(".toast").last).to_contain_text("Removed.")
    assert await told(reader, model) == []


async def test_what_is_not_saved_yet_survives_a_look_at_something_else_and_a_reload(readers: Readers) -> None:
    reader = await readers(**PHONE)
    await reader.page.goto(f"{reader.address}/#/instructions")
    await box_of(reader).fill("Half a tho")
    await reader.page.goto(f"{reader.address}/#/usage")
    await expect(reader.page.get_by_role("heading", name="Usage and costs", level=1)).to_be_visible()
    await reader.page.go_back()
    await expect(box_of(reader)).to_have_value("Half a tho")
    await reader.page.reload()
    await expect(box_of(reader)).to_have_value("Half a tho")
    await expect(reader.page.get_by_role("button", name="Save")).to_have_attribute("aria-disabled", "false")


async def test_a_server_that_is_away_takes_nothing_of_it(reader: Reader) -> None:
    box = await opened(reader)
    await box.fill("Never lost")
    await reader.page.route("**/api/preferences", lambda route: route.abort())
    reader.watch.expect("net::ERR_FAILED")
    await reader.press("Save")
    await expect(reader.page.get_by_role("alert").filter(has_text="server")).to_be_visible()
    await expect(box).to_have_value("Never lost")
