"""Images in a conversation: where they are shown, large, on paper, and what is said where one is not there."""

import asyncio
import re

import pytest
from browser.accessibility import faults
from browser.files import add, file
from browser.reader import PHONE, Reader, Readers, all_closed, comes_true
from browser.shown import drawn, thumbnails, tile
from browser.test_looks import SHIFTS, SMALL_TARGETS, TOO_WIDE, shifted
from browser.test_printing import NOTE_PRINTING
from playwright.async_api import Locator, Route, expect

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

RED, BLUE, GREEN = tile(200, 30, 30), tile(30, 30, 200), tile(30, 200, 30)
IMAGES = "**/api/conversations/*/images/*"
SIZE = "(image) => [image.naturalWidth, image.clientWidth, image.clientHeight]"
SEEN = [
    {"id": "openai/sees", "name": "sees", "provider": "openai"},
    {"id": "openai/blind", "name": "blind", "provider": "openai", "sees_images": False},
]


async def shows(reader: Reader, *contents: bytes) -> None:
    """Ask a question that shows these images, to the end of its answer."""
    await add(reader, *(file(f"{number}.png", content) for number, content in enumerate(contents, 1)))
    await expect(thumbnails(reader)).to_have_count(len(contents))
    await reader.ask_to_end("What do you see?")


def large(reader: Reader, name: str) -> Locator:
    return reader.page.get_by_role("dialog", name=name, exact=True)


def image(reader: Reader, name: str) -> Locator:
    return reader.question.get_by_role("button", name=name, exact=True)


@pytest.mark.usefixtures("model")
async def test_a_press_opens_an_image_large_and_keys_go_on(reader: Reader, axe: str) -> None:
    await shows(reader, RED, BLUE, GREEN)
    await image(reader, "Image 2 of 3").press("Enter")
    await expect(large(reader, "Image 2 of 3")).to_be_visible()
    assert await faults(reader, axe) == []
    await reader.page.keyboard.press("ArrowRight")
    await expect(large(reader, "Image 3 of 3").get_by_role("img", name="Image 3 of 3")).to_be_visible()
    await reader.page.keyboard.press("ArrowRight")
    await expect(large(reader, "Image 3 of 3")).to_be_visible()
    await reader.press("Previous image")
    await reader.page.keyboard.press("ArrowLeft")
    await expect(large(reader, "Image 1 of 3")).to_be_visible()
    await reader.page.keyboard.press("Escape")
    await expect(reader.page.get_by_role("dialog")).to_have_count(0)
    await expect(image(reader, "Image 2 of 3")).to_be_focused()


@pytest.mark.usefixtures("model")
@pytest.mark.parametrize("way", ["Back", "Close", "beside"])
async def test_a_large_image_is_closed_as_all_else_is(reader: Reader, way: str) -> None:
    await shows(reader, RED)
    address = reader.page.url
    await image(reader, "Image").click()
    await expect(large(reader, "Image")).to_be_visible()
    if way == "Back":
        await reader.page.go_back()
    elif way == "Close":
        await reader.press("Close", large(reader, "Image"))
    else:
        await reader.page.mouse.click(20, 400)
    await expect(large(reader, "Image")).to_have_count(0)
    await all_closed(reader.page)
    assert reader.page.url == address
    await expect(image(reader, "Image")).to_be_focused()


@pytest.mark.usefixtures("model")
@pytest.mark.parametrize("count", [1, 3])
async def test_nothing_jumps_when_images_come(reader: Reader, count: int) -> None:
    await shows(reader, *[await drawn(reader, 900, 700, "image/png")] * count)
    await reader.page.add_init_script(f"({SHIFTS})()")
    go = await reader.hold_back(IMAGES)
    await reader.page.goto("about:blank")
    await reader.page.go_back()
    await expect(reader.answer).to_be_visible()
    await asyncio.sleep(0.5)
    go.set()
    await expect(reader.question.get_by_role("img")).to_have_count(count)
    await comes_true(reader.page, "[...document.images].every((image) => image.complete)")
    assert await shifted(reader.page) < 0.01


@pytest.mark.usefixtures("model")
async def test_an_image_that_does_not_come_is_told_and_asked_for_again(reader: Reader, axe: str) -> None:
    reader.watch.expect("ERR_FAILED")
    await shows(reader, RED)
    await reader.page.route(IMAGES, lambda route: route.abort())
    await reader.page.reload()
    await expect(reader.question).to_contain_text("This image cannot be loaded. Press to try again.")
    assert await faults(reader, axe) == []
    await reader.page.unroute_all()
    await reader.question.get_by_role("button", name=re.compile("cannot be loaded")).click()
    await expect(image(reader, "Image")).to_be_visible()


@pytest.mark.usefixtures("model")
async def test_printing_waits_for_the_images(reader: Reader) -> None:
    await shows(reader, await drawn(reader, 1600, 900, "image/png"))
    await reader.page.add_init_script(f"({NOTE_PRINTING})()")
    go = asyncio.Event()

    async def late(route: Route) -> None:
        await go.wait()
        await route.continue_()

    await reader.page.route(IMAGES, late)
    await reader.page.reload()
    await expect(reader.question.get_by_role("img")).to_have_count(1)
    await reader.page.keyboard.press("Control+p")
    await asyncio.sleep(0.3)
    assert await reader.page.evaluate("document.documentElement.dataset.printings") is None
    go.set()
    await expect(reader.page.locator("html")).to_have_attribute("data-printings", "1")
    paper = await reader.page.pdf()
    assert b"/Subtype /Image" in paper
    await reader.page.emulate_media(media="print")
    natural, width, height = await reader.question.get_by_role("img").evaluate(SIZE)
    assert natural == 1600
    assert 0 < width <= 1280
    assert height <= 800


async def test_a_model_that_sees_none_is_told_of_before_it_is_asked(reader: Reader, axe: str) -> None:
    models = {"models": SEEN, "default": "openai/blind", "problems": []}
    await reader.page.route("**/api/models", lambda route: route.fulfill(json=models))
    await reader.page.reload()
    await reader.box.fill("What is this?")
    await add(reader, file("red.png", RED))
    note = reader.page.locator("#composer-note")
    await expect(note).to_have_text("blind sees no images. Choose another model, or take the images out.")
    send = reader.page.get_by_role("button", name="Send", exact=True)
    await expect(send).to_be_disabled()
    await reader.box.press("Enter")
    await expect(reader.questions).to_have_count(0)
    assert await faults(reader, axe) == []
    await reader.page.get_by_role("combobox", name="Model").select_option("openai/sees")
    await expect(note).to_have_text("")
    await expect(send).to_be_enabled()
    await reader.page.get_by_role("combobox", name="Model").select_option("openai/blind")
    await expect(send).to_be_disabled()
    await reader.press("Take out “red.png”")
    await expect(send).to_be_enabled()


@pytest.mark.usefixtures("model")
async def test_on_a_phone_all_of_it_is_within_reach(readers: Readers, axe: str) -> None:
    reader = await readers(**PHONE)
    await shows(reader, *[RED] * 8)
    await add(reader, *(file(f"{number}.png", BLUE) for number in range(8)))
    await expect(thumbnails(reader)).to_have_count(8)
    assert not await reader.page.evaluate(TOO_WIDE)
    assert await reader.page.evaluate(SMALL_TARGETS) == []
    assert await faults(reader, axe) == []


@pytest.mark.usefixtures("model")
@pytest.mark.parametrize("colours", ["none", "active"])
async def test_letters_four_times_as_large_leave_room_for_images(readers: Readers, colours: str) -> None:
    reader = await readers(viewport={"width": 320, "height": 256}, forced_colors=colours)
    await shows(reader, RED, BLUE)
    await add(reader, file("green.png", GREEN))
    await expect(thumbnails(reader)).to_be_visible()
    assert not await reader.page.evaluate(TOO_WIDE)
    await reader.page.get_by_role("button", name="Take out “green.png”").click()
    await expect(reader.box).to_be_focused()
    await image(reader, "Image 1 of 2").click()
    await expect(large(reader, "Image 1 of 2")).to_be_visible()
    assert not await reader.page.evaluate(TOO_WIDE)
