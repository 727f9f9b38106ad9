"""Reading while an answer grows: the page follows at the end and stays where the reader is."""

import asyncio

import pytest
from browser.reader import PHONE, Reader, Readers
from browser.samples import LONG
from model import Model
from playwright.async_api import expect
from upstream import DONE, ROLE, Step, ending, stream, text, usage

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

FROM_END = "(scroller) => scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight"
TWO_FRAMES = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
REPLACE_DRAFT = """(area) => {
    const scroller = document.querySelector("main .scroller");
    for (const draft of ["", "four\\nlines\\nof\\ntext"]) {
        area.value = draft;
        area.dispatchEvent(new Event("input"));
        scroller.getBoundingClientRect();
    }
}"""
TOP = "(scroller) => scroller.scrollTop"
PLACES = """(log) => {
    const from = log.getBoundingClientRect();
    const seen = log.querySelectorAll(".bubble, .prose, .actions, .actions button, .versions span");
    return [...seen].map((each) => {
        const { left, top } = each.getBoundingClientRect();
        return [each.ariaLabel ?? each.classList[0], Math.round(left - from.left), Math.round(top - from.top)];
    });
}"""


def paragraphs(name: str, count: int = 40) -> bytes:
    return text("".join(f"{name} {number}: some words to read.\n\n" for number in range(count)))


async def test_the_page_follows_at_the_end_and_stays_where_the_reader_is(reader: Reader, model: Model) -> None:
    gates = [asyncio.Event() for _ in range(4)]
    steps: list[Step] = [ROLE, paragraphs("First")]
    for gate, name in zip(gates, ("Second", "Third", "Fourth"), strict=False):
        steps += [gate, paragraphs(name)]
    model.says([*steps, gates[3], ending(), DONE])
    to_end = reader.page.get_by_role("button", name="Scroll to the end")
    await reader.ask("Much to read")
    await expect(reader.answer).to_contain_text("First 39")
    assert await reader.scroller.evaluate(FROM_END) <= 2
    gates[0].set()
    await expect(reader.answer).to_contain_text("Second 39")
    assert await reader.scroller.evaluate(FROM_END) <= 2
    await expect(to_end).to_have_count(0)

    await reader.scroller.hover()
    await reader.page.mouse.wheel(0, -900)
    await expect(to_end).to_be_visible()
    await reader.page.evaluate(TWO_FRAMES)
    top = await reader.scroller.evaluate(TOP)
    gates[1].set()
    await expect(reader.answer).to_contain_text("Third 39")
    assert await reader.scroller.evaluate(TOP) == top

    await to_end.click()
    await expect(to_end).to_have_count(0)
    assert await reader.scroller.evaluate(FROM_END) <= 2
    gates[2].set()
    await expect(reader.answer).to_contain_text("Fourth 39")
    assert await reader.scroller.evaluate(FROM_END) <= 2
    gates[3].set()
    await reader.ended()
    assert await reader.scroller.evaluate(FROM_END) <= 2


async def test_a_reader_gets_away_slowly_from_a_text_that_grows_quickly(reader: Reader, model: Model) -> None:
    model.says(stream("It grows.\n\n" * 2000, pace=0.004))
    to_end = reader.page.get_by_role("button", name="Scroll to the end")
    await reader.ask("Much to read")
    await expect(reader.answer.locator("p").nth(60)).to_be_attached()
    await reader.scroller.hover()
    for _ in range(10):
        await reader.page.mouse.wheel(0, -20)
        await reader.page.wait_for_timeout(30)
    await expect(to_end).to_be_visible()
    await to_end.click()
    await expect(to_end).to_have_count(0)
    await reader.press("Stop the answer")
    await reader.ended()


async def test_the_page_stays_at_the_end_whatever_height_the_message_box_has(reader: Reader, model: Model) -> None:
    model.says([ROLE, paragraphs("Line"), ending(), DONE])
    await reader.ask_to_end("Much to read")
    await reader.box.fill("a line\n" * 12)
    await reader.page.evaluate(TWO_FRAMES)
    assert await reader.scroller.evaluate(FROM_END) <= 2
    await reader.box.evaluate(REPLACE_DRAFT)
    await reader.page.evaluate(TWO_FRAMES)
    assert await reader.scroller.evaluate(FROM_END) <= 2


async def test_a_conversation_opens_at_its_end(reader: Reader, model: Model) -> None:
    model.says([ROLE, paragraphs("Line"), ending(), DONE])
    for number in range(3):
        await reader.ask_to_end(f"Question {number}")
    await reader.page.reload()
    await expect(reader.answers).to_have_count(3)
    await expect(reader.answer.get_by_text("Line 39:")).to_be_in_viewport()


async def test_the_next_question_goes_to_the_end(reader: Reader, model: Model) -> None:
    model.says([ROLE, paragraphs("Line"), ending(), DONE])
    await reader.ask_to_end("Much")
    await reader.scroller.hover()
    await reader.page.mouse.wheel(0, -1200)
    await expect(reader.page.get_by_role("button", name="Scroll to the end")).to_be_visible()
    model.says("Shortly.")
    await reader.ask_to_end("And in short?")
    await expect(reader.answer.locator(".prose")).to_be_in_viewport()


OUTSIDE = """(article) => {
    const edge = article.getBoundingClientRect();
    const ring = 4;
    const numbers = [...article.querySelectorAll("ol")].map((list) => {
        const pen = document.createElement("canvas").getContext("2d");
        pen.font = getComputedStyle(list).font;
        const room = parseFloat(getComputedStyle(list).paddingInlineStart);
        return room - pen.measureText(`${list.children.length}. `).width;
    });
    const buttons = [...article.querySelectorAll("button")].filter((button) => button.checkVisibility());
    return {
        numbers: numbers.filter((room) => room < 0),
        rings: buttons.map((button) => button.getBoundingClientRect()).filter((place) =>
            place.left - ring < edge.left || place.right + ring > edge.right ||
            place.top - ring < edge.top || place.bottom + ring > edge.bottom).length,
    };
}"""


@pytest.mark.parametrize("device", [{}, PHONE], ids=["desktop", "phone"])
async def test_nothing_of_an_older_answer_is_cut_off_at_its_edges(
    readers: Readers, model: Model, device: dict[str, object]
) -> None:
    reader = await readers(**device)
    model.says(LONG, "Shortly.")
    await reader.ask_to_end("A long list")
    await reader.ask_to_end("And in short?")
    await expect(reader.answers.first.locator("li")).to_have_count(120)
    for article in (reader.answers.first, reader.questions.first):
        assert await article.evaluate(OUTSIDE) == {"numbers": [], "rings": 0}
    assert not await reader.scroller.evaluate("(scroller) => scroller.scrollWidth > scroller.clientWidth")


async def test_a_found_message_is_shown_where_it_is(reader: Reader, model: Model) -> None:
    model.says([ROLE, paragraphs("Line"), ending(), DONE])
    await reader.ask_to_end("The needle question")
    for number in range(2):
        await reader.ask_to_end(f"Question {number}")
    await expect(reader.questions.first).not_to_be_in_viewport()
    await reader.search.fill("needle")
    await reader.hits.get_by_role("link").click()
    await expect(reader.questions.first).to_be_in_viewport()


@pytest.mark.parametrize("device", [{}, PHONE], ids=["desktop", "phone"])
async def test_nothing_moves_when_an_answer_begins_and_when_it_ends(
    readers: Readers, model: Model, device: dict[str, object]
) -> None:
    reader = await readers(**device)
    log = reader.page.get_by_role("log")
    await reader.ask_to_end("First")
    await reader.press("Edit the question", reader.question)
    await reader.page.get_by_role("textbox", name="Edit your question").fill("First, but otherwise")
    await reader.page.get_by_role("button", name="Send", exact=True).first.click()
    await expect(reader.question.get_by_role("group", name="Version 2 of 2")).to_be_visible()
    await reader.ended()
    before = await log.evaluate(PLACES)
    gate = asyncio.Event()
    model.says([ROLE, text("All of it."), gate, ending(), usage(1234, 567), DONE])
    await reader.ask("Second")
    await expect(reader.answer).to_contain_text("All of it.")
    growing = await log.evaluate(PLACES)
    assert growing[: len(before)] == before
    height = await log.evaluate("(log) => log.scrollHeight")
    for name in ("Edit the question", "Answer again"):
        button = log.get_by_role("button", name=name).first
        await expect(button).to_have_attribute("aria-disabled", "true")
        await button.dispatch_event("click")
    await expect(log.get_by_role("textbox")).to_have_count(0)
    await expect(reader.answers).to_have_count(2)
    gate.set()
    await reader.ended()
    assert await log.evaluate("(log) => log.scrollHeight") == height
    after = await log.evaluate(PLACES)
    assert after[: len(growing)] == growing
    await expect(log.get_by_role("button", name="Edit the question").first).to_have_attribute("aria-disabled", "false")


async def test_the_count_of_versions_stands_at_the_edge_of_the_bubble(reader: Reader, model: Model) -> None:
    del model
    await reader.ask_to_end("First")
    await reader.press("Edit the question", reader.question)
    await reader.page.get_by_role("textbox", name="Edit your question").fill("First, but otherwise")
    await reader.page.get_by_role("button", name="Send", exact=True).first.click()
    await reader.ended()
    right = "(element) => element.getBoundingClientRect().right"
    edge = await reader.question.locator(".bubble").evaluate(right)
    assert abs(await reader.question.get_by_role("group").evaluate(right) - edge) <= 1
