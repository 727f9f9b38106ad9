"""Paper: all of a conversation, whatever was loaded, and below each answer who gave it, when and for how much."""

import re

import pytest
from browser.reader import PHONE, Reader, Readers
from browser.turns import LONG
from model import Model
from playwright.async_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

NOTE_PRINTING = """() => {
    let printings = 0;
    window.print = () => (document.documentElement.dataset.printings = String((printings += 1)));
}"""
NOTE_PAPER = """() => {
    addEventListener("beforeprint", () => (window.paper = document.querySelector(".log").textContent));
}"""
MISSING = "Earlier messages of this conversation are not on this paper."


async def opened(reader: Reader, path: str) -> None:
    await reader.page.add_init_script(f"({NOTE_PRINTING})()")
    await reader.page.goto(reader.address + path)
    await reader.page.reload()
    await expect(reader.question.locator(".bubble")).to_have_text("Question 129.")


async def printed(reader: Reader) -> None:
    """Wait until the page has asked the browser to print, once."""
    await expect(reader.page.locator("html")).to_have_attribute("data-printings", "1")


async def paper(reader: Reader) -> str:
    """Return what stands on paper."""
    await reader.page.evaluate(NOTE_PAPER)
    await reader.page.pdf()
    text: str = await reader.page.evaluate("window.paper")
    return text


async def test_the_keys_print_all_of_a_long_conversation(reader: Reader, long: str) -> None:
    await opened(reader, long)
    await expect(reader.questions).to_have_count(50)
    await reader.page.keyboard.press("Control+p")
    await printed(reader)
    await expect(reader.questions).to_have_count(LONG)
    text = await paper(reader)
    assert all(f"Question {number}." in text for number in range(LONG))
    assert MISSING not in text
    lines = re.findall(r"gpt-test · \w+ \d+, \d{4}, [\d:]+\s[AP]M · \d+ input and \d+ output tokens", text)
    assert len(lines) == LONG
    await expect(reader.page.get_by_text(re.compile(r"^gpt-test · "))).to_have_count(0)


@pytest.mark.usefixtures("model")
async def test_nothing_to_press_is_on_paper(reader: Reader) -> None:
    await reader.ask_to_end("What is on paper?")
    pressed = reader.page.locator("a.skip, button, textarea, nav")
    await expect(reader.page.locator("a.skip")).to_be_visible()
    await reader.page.emulate_media(media="print")
    await expect(pressed.filter(visible=True)).to_have_count(0)
    await expect(reader.question).to_be_visible()


async def test_paper_says_what_could_not_be_loaded(reader: Reader, long: str) -> None:
    reader.watch.expect("net::ERR_FAILED")
    await opened(reader, long)
    await expect(reader.questions).to_have_count(50)
    await reader.page.route("**/api/conversations/*before=*", lambda route: route.abort())
    await reader.page.keyboard.press("Control+p")
    await printed(reader)
    text = await paper(reader)
    assert MISSING in text
    assert "Question 129." in text
    await expect(reader.page.get_by_text(MISSING)).to_have_count(0)


@pytest.mark.parametrize("device", [{}, PHONE], ids=["desktop", "phone"])
async def test_any_conversation_is_printed_by_its_menu(
    readers: Readers, model: Model, long: str, device: dict[str, object]
) -> None:
    reader = await readers(**device)
    model.title = "To be printed"
    model.says("A *drawn* answer.")
    await reader.ask_to_end("A short question")
    await opened(reader, long)
    if device:
        await reader.press("Show conversations")
    await reader.choose(reader.row("To be printed").first, "Print…")
    await expect(reader.questions).to_have_count(1)
    await printed(reader)
    text = await paper(reader)
    assert "A drawn answer." in text
    assert "Question" not in text.replace("A short question", "")


async def test_a_question_that_is_being_edited_is_on_paper_as_it_was_asked(reader: Reader) -> None:
    await reader.ask_to_end("As it was asked")
    await reader.press("Edit the question", reader.question)
    await reader.page.get_by_role("textbox", name="Edit your question").fill("Half of another")
    assert "As it was asked" in await paper(reader)
    await expect(reader.page.get_by_role("textbox", name="Edit your question")).to_be_focused()


async def test_what_is_all_there_is_left_to_the_browser(reader: Reader) -> None:
    await reader.page.evaluate(NOTE_PRINTING)
    await reader.page.evaluate("addEventListener('keydown', (event) => (window.left = !event.defaultPrevented))")
    await reader.ask_to_end("Print this")
    await reader.page.keyboard.press("Control+p")
    assert await reader.page.evaluate("[window.left, document.documentElement.dataset.printings ?? null]") == [
        True,
        None,
    ]
