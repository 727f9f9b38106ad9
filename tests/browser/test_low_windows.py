"""Where there is hardly any height: a keyboard on the screen, a phone on its side, letters four times as large."""

import pytest
from browser.reader import PHONE, Reader, Readers
from model import Model
from playwright.async_api import expect
from upstream import DONE, ROLE, ending, text

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

LOW = [(360, 380), (320, 256), (568, 320), (640, 400)]
TEXT_END = """(element) => {
    const text = document.createRange();
    text.selectNodeContents(document.createTreeWalker(element, NodeFilter.SHOW_TEXT).nextNode());
    return text.getBoundingClientRect().right;
}"""
WHEEL_MS = 400
LINES = "one\ntwo\nthree\nfour\nfive"


async def low(readers: Readers, width: int, height: int) -> Reader:
    return await readers(viewport={"width": width, "height": height})


@pytest.mark.parametrize(("width", "height"), LOW)
async def test_the_first_page_can_be_written_on(readers: Readers, width: int, height: int) -> None:
    reader = await low(readers, width, height)
    form = reader.page.get_by_role("form", name="Message")
    await expect(form).to_be_in_viewport(ratio=1)
    header = await reader.page.locator("main header").bounding_box()
    box = await form.bounding_box()
    assert header is not None
    assert box is not None
    assert box["y"] >= header["y"] + header["height"]
    await reader.box.fill(LINES)
    await reader.page.locator(".fresh").evaluate("(page) => (page.scrollTop = 0)")
    await expect(reader.page.get_by_role("heading", level=1)).to_be_in_viewport(ratio=1)
    await reader.page.get_by_role("button", name="Send").scroll_into_view_if_needed()
    await expect(reader.page.get_by_role("button", name="Send")).to_be_in_viewport(ratio=1)


async def test_a_low_conversation_has_more_room_than_its_message_box(readers: Readers, model: Model) -> None:
    reader = await low(readers, 320, 256)
    model.says([ROLE, text("Words to read. " * 60), ending(), DONE])
    await reader.ask_to_end("Anything")
    log, foot = await reader.scroller.bounding_box(), await reader.page.locator("main .foot").bounding_box()
    assert log is not None
    assert foot is not None
    assert log["height"] > 1.4 * foot["height"]
    await expect(reader.page.get_by_role("combobox", name="Model")).to_be_in_viewport(ratio=1)
    await reader.box.fill("More?")
    await expect(reader.page.get_by_role("button", name="Send")).to_be_in_viewport(ratio=1)
    box = await reader.box.bounding_box()
    assert box is not None
    assert box["width"] > 110
    await reader.box.fill(LINES)
    await expect(reader.page.get_by_role("button", name="Send")).to_be_in_viewport(ratio=1)


async def test_a_phone_on_its_side_is_the_conversations(readers: Readers, model: Model) -> None:
    model.says("".join(f"{number}. A line of text that is long enough to be covered.\n" for number in range(60)))
    reader = await readers(**{**PHONE, "viewport": {"width": 844, "height": 390}})
    await expect(reader.sidebar).to_have_count(0)
    await reader.ask_to_end("Much to read")
    await reader.scroller.evaluate("scroller => (scroller.scrollTop = 0)")
    to_end = reader.page.get_by_role("button", name="Scroll to the end")
    item = await reader.answer.locator("li").first.evaluate(TEXT_END)
    box = await to_end.bounding_box()
    assert box is not None
    assert box["x"] > item


@pytest.mark.usefixtures("model")
async def test_the_drawer_has_room_for_conversations_and_for_what_is_below_them(readers: Readers) -> None:
    reader = await low(readers, 320, 180)
    for number in range(6):
        await reader.press("New conversation")
        await reader.ask_to_end(f"Question {number}")
    await reader.press("Show conversations")
    await expect(reader.rows).not_to_have_count(0)
    box = await reader.sidebar.locator(".list").bounding_box()
    assert box is not None
    assert box["height"] > 100
    settings = reader.sidebar.get_by_role("button", name="Settings")
    await settings.scroll_into_view_if_needed()
    await expect(settings).to_be_in_viewport(ratio=1)
    await reader.rows.last.scroll_into_view_if_needed()
    await expect(reader.rows.last).to_be_in_viewport(ratio=0.9)
    await reader.sidebar.evaluate("(sidebar) => (sidebar.scrollTop = 0)")
    await expect(settings).not_to_be_in_viewport()
    list_ = await reader.sidebar.locator(".list").bounding_box()
    assert list_ is not None
    await reader.page.mouse.move(list_["x"] + 60, list_["y"] + 20)
    for _ in range(6):  # each turn of the wheel is the list's alone as long as there is more of it
        await reader.page.mouse.wheel(0, 400)
        await reader.page.wait_for_timeout(WHEEL_MS)
    await expect(settings).to_be_in_viewport(ratio=1)
