"""Scrolling through long answers: what is read moves as far as the wheel turns, whatever is drawn above it."""

import asyncio

import pytest
import pytest_asyncio
from browser.reader import Reader, Readers
from browser.samples import LONG
from browser.turns import conversation_of
from model import Model
from playwright.async_api import expect
from program import Program
from upstream import gated

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

TURNS = 5
STEP = 400
TOLERANCE = 4
READ = """() => {
    const view = document.querySelector("main .scroller").getBoundingClientRect();
    for (const share of [0.5, 0.4, 0.6, 0.3, 0.7, 0.25, 0.75]) {
        const seen = document.elementFromPoint(view.left + view.width / 2, view.top + view.height * share);
        const read = seen?.closest("[data-message] :is(p, h4, h5, h6, li, pre, td, th, .bubble)");
        if (read) return (window.read = read), read.getBoundingClientRect().top;
    }
    return null;
}"""
STILL = """() => new Promise((done) => {
    let top = NaN, frames = 0;
    const look = () => {
        const now = document.querySelector("main .scroller").scrollTop;
        frames = now === top ? frames + 1 : 0;
        top = now;
        frames < 8 ? requestAnimationFrame(look) : done();
    };
    look();
})"""
WHERE = "() => window.read.isConnected ? window.read.getBoundingClientRect().top : null"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def rich(program: Program, played: Model) -> str:
    """Return where a conversation of long answers is."""
    played.forget()
    played.says(LONG)
    return await conversation_of(program, TURNS)


async def test_what_is_read_moves_as_far_as_the_wheel(reader: Reader, rich: str) -> None:
    await reader.page.goto(reader.address + rich)
    await expect(reader.answer.get_by_role("table")).to_be_visible()
    first = reader.answers.first.locator(".prose")
    await expect(first).to_have_class("prose plain")  # what is far costs nothing
    await reader.scroller.hover()
    jumps, top, steps = [], 1.0, 0
    while top > 0 and steps < 80:
        before = await reader.page.evaluate(READ)
        await reader.page.mouse.wheel(0, -STEP)
        await reader.page.evaluate(STILL)
        top = await reader.scroller.evaluate("(scroller) => scroller.scrollTop")
        after = await reader.page.evaluate(WHERE)
        steps += 1
        if before is None or top == 0:
            continue
        if after is None or abs(after - before - STEP) > TOLERANCE:
            jumps.append((steps, None if after is None else round(after - before)))
    assert jumps == []
    await expect(first).to_have_class("prose md")


async def test_what_was_left_is_not_kept(reader: Reader, model: Model) -> None:
    model.says("*One*.")
    await reader.ask_to_end("The first")
    await reader.page.reload()
    await expect(reader.answer.locator("em")).to_have_text("One")
    await reader.page.evaluate("() => { window.left = new WeakRef(document.querySelector('.scroller')); }")
    await reader.press("New conversation", reader.sidebar)
    await reader.ask_to_end("The second")
    session = await reader.page.context.new_cdp_session(reader.page)
    for _ in range(20):
        await session.send("HeapProfiler.collectGarbage")
        if await reader.page.evaluate("() => window.left.deref() === undefined"):
            return
        await asyncio.sleep(0.1)
    raise AssertionError("the page before is still held")


# WebKit tells of a scroll a frame late: the text was shorter for a moment, and is another height again when it comes.
SHORTER_FOR_A_MOMENT = """async () => {
    const scroller = document.querySelector("main .scroller"), answer = scroller.querySelector("article:last-of-type");
    const frames = async (count) => { while (count--) await new Promise(requestAnimationFrame); };
    answer.style.minHeight = "3000px";
    await frames(4);
    const before = scroller.scrollHeight - scroller.clientHeight - scroller.scrollTop;
    answer.style.minHeight = "2500px";
    scroller.scrollTop = 0;
    scroller.dispatchEvent(new Event("scroll"));
    await frames(4);
    return [before, scroller.scrollHeight - scroller.clientHeight - scroller.scrollTop];
}"""


async def test_the_end_is_followed_where_the_text_was_shorter_for_a_moment(reader: Reader) -> None:
    await reader.ask_to_end("Follow")
    assert await reader.page.evaluate(SHORTER_FOR_A_MOMENT) == [0, 0]
    await reader.scroller.hover()
    await reader.page.mouse.wheel(0, -STEP)
    await expect(reader.page.get_by_role("button", name="Scroll to the end")).to_be_visible()


# How high a text that stood there plain is in the moment in which its lines are no longer kept.
HEIGHTS = """(prose) => {
    window.heights = [prose.offsetHeight];
    const note = () => prose.matches(".plain") || window.heights.push(prose.offsetHeight);
    new MutationObserver(note).observe(prose, { attributeFilter: ["class"] });
}"""


async def test_what_stood_there_plain_keeps_its_lines_until_it_is_drawn(readers: Readers, model: Model) -> None:
    """The first answer may begin before what draws it is there."""
    reader = await readers()
    engine = await reader.hold_back("**/assets/markdown-*.js")
    await reader.open()
    steps, gates = gated("one\ntwo\nthree\nfour\n\nfive", "\n\nthe end")
    model.says(steps)
    await reader.ask("Lines")
    prose = reader.answer.locator(".prose")
    await expect(prose).to_have_class("prose plain")
    await expect(prose).to_contain_text("five")
    await prose.evaluate(HEIGHTS)
    engine.set()
    await expect(prose.locator("p")).to_have_count(2)
    for gate in gates:
        gate.set()
    await reader.ended()
    plain, drawn, *_ = await reader.page.evaluate("heights")
    assert drawn > plain / 2
