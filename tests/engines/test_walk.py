"""A compact walk through the page in Firefox and in WebKit: what depends on the engine, as a person does it."""

import asyncio

import pytest
from browser.samples import CODE, MARKDOWN
from browser.turns import conversation_of
from engines.tab import Tab
from engines.walking import ANSWERS, FOCUS, LEFT, SAID, TOLD, ask, ask_to_end, choose, ended, reads
from model import Model
from program import Program
from upstream import ROLE, gated, text

pytestmark = [pytest.mark.engines, pytest.mark.asyncio(loop_scope="session")]

STEP = 300
TOP = "document.querySelector('.scroller').scrollTop"
# Take note of what is read in the upper third, and return where it is.
READ = """(() => {
    const view = document.querySelector(".scroller").getBoundingClientRect();
    const seen = document.elementFromPoint(view.left + view.width / 2, view.top + view.height / 3);
    window.read = seen.closest("li, article") ?? document.querySelector("article:hover");
    return window.read.getBoundingClientRect().top;
})()"""
FORMULA = "\n\n$$\\frac{a}{b}$$\n"
MUCH = "".join(f"{number}. A line that is read.\n" for number in range(1, 60))


async def still(tab: Tab) -> None:
    """Wait until nothing scrolls."""
    before = -1
    while before != (before := await tab.js(TOP)):  # noqa: ASYNC110 - another program's event
        await asyncio.sleep(0.1)


async def test_an_answer_grows_is_stopped_and_goes_on_after_a_reload(tab: Tab, model: Model) -> None:
    assert await tab.js(FOCUS) == "Message"
    steps, gates = gated("The first words ", "and the last.")
    model.says(steps, [ROLE, text("Never "), asyncio.Event()])
    await ask(tab, "안녕, say something")
    await reads(tab, "The first words")
    assert await tab.js(f"{ANSWERS}.at(-1).ariaBusy") == "true"
    await tab.driver.call("Refresh")
    await reads(tab, "The first words")
    gates[0].set()
    await reads(tab, "The first words and the last.")
    await ended(tab)
    await ask(tab, "And more")
    await tab.sees(f"{SAID} === 'Never'")
    await tab.press("Escape")
    await tab.sees("document.querySelector('main').innerText.includes('You stopped this answer.')")


async def test_questions_and_answers_have_versions(tab: Tab, model: Model) -> None:
    model.says("About cats.", "About dogs.", "Again about dogs.")
    await ask_to_end(tab, "Cats?")
    await tab.click("button", "Edit the question")
    await tab.find("textbox", "Edit your question")
    await tab.press("Control", "a")
    await tab.write("Dogs?")
    await tab.press("Enter")
    await reads(tab, "About dogs.")
    await ended(tab)
    await tab.click("button", "Answer again")
    await reads(tab, "Again about dogs.")
    await ended(tab)
    await tab.click("button", "Previous version", "article.answer")
    await reads(tab, "About dogs.")
    await tab.driver.call("Refresh")
    await reads(tab, "About dogs.")


async def test_markdown_is_drawn_and_followed_to_its_end(tab: Tab, model: Model) -> None:
    """The answer begins before what draws it is there: its text stands plain first, and is another height then."""
    model.says(MARKDOWN + FORMULA + MUCH)
    await ask_to_end(tab, "Show me")
    await tab.sees("document.querySelector('article.answer math mfrac')")
    await tab.sees("document.querySelector('article.answer pre code span')")
    assert await tab.js("document.querySelector('article.answer pre code').textContent") == CODE
    assert await tab.js("[...document.querySelectorAll('article.answer td')].map((cell) => cell.textContent)") == [
        "apple",
        "3",
    ]
    await tab.sees(f"{LEFT} < 2")


async def test_a_growing_answer_is_followed_until_the_reader_goes_up(tab: Tab, model: Model) -> None:
    steps, gates = gated(MUCH, MUCH, MUCH, MUCH)
    model.says(steps)
    await ask(tab, "Much")
    await tab.sees(f"{LEFT} < 2 && {ANSWERS}[0].offsetHeight > 1000")
    gates[0].set()
    await tab.sees(f"{LEFT} < 2 && {ANSWERS}[0].offsetHeight > 2000")
    await tab.wheel(700, 400, -300)
    await tab.sees(f"{LEFT} > 100")
    top = await tab.js("document.querySelector('.scroller').scrollTop")
    gates[1].set()
    await tab.sees(f"{ANSWERS}[0].offsetHeight > 4000")
    assert await tab.js("document.querySelector('.scroller').scrollTop") == pytest.approx(top, abs=2)
    await tab.click("button", "Scroll to the end")
    gates[2].set()
    await ended(tab)
    await tab.sees(f"{LEFT} < 2")


async def test_nothing_is_passed_over_on_the_way_up(tab: Tab, model: Model, program: Program) -> None:
    """What is above is laid out when it comes near, or before: what is read then moves as far as the wheel turns."""
    model.says(MUCH)
    await tab.open(await conversation_of(program, 4))
    await tab.sees(f"{LEFT} < 2 && {ANSWERS}.at(-1)?.querySelector('li')")
    await still(tab)
    moves = []
    while (top := await tab.js(TOP)) > STEP:
        before = await tab.js(READ)
        await tab.wheel(700, 400, -STEP)
        await tab.sees(f"{TOP} !== arguments[0]", top)
        await still(tab)
        moves.append(round(await tab.js("window.read.getBoundingClientRect().top") - before))
    assert len(moves) > 10
    assert moves == pytest.approx([STEP] * len(moves), abs=2)


async def test_conversations_are_found_renamed_pinned_and_deleted(tab: Tab, model: Model) -> None:
    model.title = "주말 계획"
    model.says("서울에서 부산까지 기차로 갑니다.")
    await ask_to_end(tab, "추천해 줘")
    await tab.find("link", "주말 계획")
    await tab.click("searchbox", "Search conversations")
    await tab.write("부산")
    await tab.sees("document.querySelector('nav mark')?.textContent === '부산'")
    await tab.press("Escape")
    await tab.sees("document.querySelector('nav input[type=search]').value === ''")
    await choose(tab, "주말 계획", "Rename")
    await tab.find("textbox", "Title of the conversation")
    await tab.press("Control", "a")
    await tab.write("Busan")
    await tab.press("Enter")
    await tab.find("link", "Busan")
    await choose(tab, "Busan", "Pin")
    await tab.sees("document.querySelector('nav').innerText.includes('Pinned')")
    await choose(tab, "Busan", "Delete")
    await tab.sees("document.querySelector('.toast')?.innerText.includes('“Busan” was deleted.')")
    await tab.sees("!document.querySelector('nav').innerText.includes('Busan')")
    await tab.click("button", "Undo")
    await tab.find("link", "Busan")
    await choose(tab, "Busan", "Delete")
    await tab.sees("!document.querySelector('nav').innerText.includes('Busan')")


async def test_a_dialog_takes_the_focus_keeps_it_and_gives_it_back(tab: Tab) -> None:
    await tab.js("document.querySelector('nav .settings').focus()")
    await tab.press("Enter")
    await tab.find("dialog", "Settings")
    for _ in range(4):  # to its last; from there Tab leads to the browser's own buttons
        await tab.press("Tab")
        assert await tab.js("document.activeElement.matches('dialog, dialog *, body')")
    await tab.press("Escape")
    await tab.sees("!document.querySelector('dialog')")
    await tab.sees(f"({FOCUS}) === 'Settings'")
    await tab.press("Enter")
    await tab.find("dialog", "Settings")
    await tab.driver.call("Back")
    await tab.sees("!document.querySelector('dialog')")
    assert await tab.js("location.hash") in {"", "#/"}


async def test_answers_and_code_are_copied(tab: Tab, model: Model) -> None:
    model.says(MARKDOWN)
    await ask_to_end(tab, "Show me")
    await tab.sees("document.querySelector('article.answer .md-code button')")
    for name, copied in (("Copy code", CODE), ("Copy", MARKDOWN)):
        await tab.click("button", name, "article.answer")
        await tab.sees(f"(document.querySelector('.md-code button').textContent + {TOLD}).includes('Copied')")
        await tab.click("textbox", "Message")
        await tab.press("Control", "v")
        await tab.sees("document.querySelector('#message').value === arguments[0]", copied)
        await tab.press("Control", "a")
        await tab.press("Backspace")
