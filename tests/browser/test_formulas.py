"""Formulas: drawn where they are written, under the page's policy, in what is copied, on a phone, for whoever hears."""

import pytest
from browser.accessibility import faults
from browser.reader import PHONE, Reader, Readers
from model import Model
from playwright.async_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

ROOTS = r"x = \frac{-b \pm \sqrt{b^2-4ac}}{2a}"
CASES = r"f(x) = \begin{cases} 1 & \text{만약 } x > 0 \\ 0 & \text{그 외} \end{cases}"
TEXT = f"The roots are \\({ROOTS}\\), **so** $D = b^2-4ac$.\n\n\\[\n{CASES}\n\\]\n\n$5 and $10, but \\(\\nope{{x}}\\)\n"
TOO_WIDE = "() => document.documentElement.scrollWidth > innerWidth"
SELECT_ANSWER = "(answer) => getSelection().selectAllChildren(answer.querySelector('.prose'))"
SELECT_ROOT = """(answer) => {
    const root = answer.querySelector("msqrt");
    getSelection().setBaseAndExtent(root, 0, answer.querySelector("strong").firstChild, 2);
}"""
COPIED = """() => new Promise((resolve) => {
    addEventListener("copy", (event) => resolve(event.clipboardData.getData("text/plain")), { once: true });
    document.execCommand("copy");
})"""

WATCH_DRAWING = """() => {
    window.turns = [];
    const isInView = (node, place = node.getBoundingClientRect()) => place.bottom > 0 && place.top < innerHeight;
    new MutationObserver((records) => {
        const drawn = records.flatMap((record) => [...record.addedNodes]).filter((node) => node.localName === "math");
        if (drawn.length > 0) window.turns.push(drawn.map((node) => isInView(node)));
    }).observe(document, { subtree: true, childList: true });
}"""
MOST_AT_ONCE = 30


async def test_they_are_drawn_and_what_draws_them_is_fetched_for_them(reader: Reader, model: Model) -> None:
    fetched: list[str] = []
    reader.page.on("request", lambda request: fetched.append(request.url) if "/drawing-" in request.url else None)
    await reader.ask_to_end("Without")
    assert fetched == []
    model.says(TEXT)
    await reader.ask_to_end("With")
    await expect(reader.answer.locator("math")).to_have_count(3)
    await expect(reader.answer.get_by_role("math").first).to_be_visible()
    await expect(reader.answer).to_contain_text("만약")
    await expect(reader.answer).to_contain_text("$5 and $10, but")
    await expect(reader.answer.locator("code")).to_have_text(r"\(\nope{x}\)")
    assert len(fetched) == 2  # its script and its style


async def test_what_draws_them_is_asked_for_again_and_draws_those_before_too(reader: Reader, model: Model) -> None:
    reader.watch.expect("net::ERR_|dynamically imported")
    await reader.page.route("**/drawing-*.js", lambda route: route.abort())
    model.says(TEXT)
    await reader.ask_to_end("Offline")
    await expect(reader.answer.locator("code.md-tex")).to_have_count(4)
    await reader.page.unroute("**/drawing-*.js")
    await reader.ask_to_end("Back again")
    await expect(reader.answers.last.locator("math")).to_have_count(3)
    await expect(reader.answers.first.locator("math")).to_have_count(3)


async def test_many_that_waited_are_drawn_by_turns_and_those_in_view_first(reader: Reader, model: Model) -> None:
    come = await reader.hold_back("**/drawing-*.js")
    model.says("".join(rf"Number {number} is $\frac{{{number}}}{{2}}$." + "\n\n" for number in range(300)))
    await reader.ask_to_end("Many")
    await expect(reader.answer.locator(".md-formula")).to_have_count(300)
    await expect(reader.answer.locator("p").last).to_be_in_viewport()
    await reader.page.evaluate(WATCH_DRAWING)
    come.set()
    await expect(reader.answer.locator("math")).to_have_count(300)
    turns: list[list[bool]] = await reader.page.evaluate("turns")
    assert turns[0][0], "the first that was drawn is seen"
    assert max(map(len, turns)) < MOST_AT_ONCE


async def test_what_is_copied_has_their_source(reader: Reader, model: Model) -> None:
    model.says(TEXT)
    await reader.ask_to_end("Copy")
    await expect(reader.answer.locator("math")).to_have_count(3)
    await reader.answer.evaluate(SELECT_ANSWER)
    copied: str = await reader.page.evaluate(COPIED)
    assert copied.split("\n\n") == [
        f"The roots are \\({ROOTS}\\), so $D = b^2-4ac$.",
        f"\\[\n{CASES}\n\\]",
        r"$5 and $10, but \(\nope{x}\)",
    ]
    await reader.answer.evaluate(SELECT_ROOT)
    assert await reader.page.evaluate(COPIED) == f"\\({ROOTS}\\), so"


async def test_the_button_copies_the_markdown(readers: Readers, model: Model) -> None:
    reader = await readers(permissions=["clipboard-read", "clipboard-write"])
    model.says(TEXT)
    await reader.ask_to_end("Copy")
    await reader.press("Copy", reader.answer)
    assert await reader.page.evaluate("navigator.clipboard.readText()") == TEXT


async def test_wide_ones_scroll_in_themselves_on_a_phone(readers: Readers, model: Model) -> None:
    reader = await readers(**PHONE)
    long = " ".join(rf"\frac{{a_{{{number}}}}}{{b}}" for number in range(60))
    model.says(f"$$\n{long}\n$$\n\nso ${long}$ it is\n\n- [x] ${long}$\n")
    await reader.ask_to_end("Wide")
    await expect(reader.answer.locator("math")).to_have_count(3)
    assert not await reader.page.evaluate(TOO_WIDE)
    box = reader.answer.locator(".md-display")
    assert await box.evaluate("(box) => box.scrollWidth > box.clientWidth && box.tabIndex === 0")
    await expect(reader.answer.get_by_role("checkbox")).to_be_in_viewport(ratio=1)


async def test_a_formula_stays_where_it_is(reader: Reader, model: Model) -> None:
    model.says(r"\(\kern-1000em\rule{1000em}{1000em}\) and \[\kern-1000em x\]")
    await reader.ask_to_end("Elsewhere")
    await expect(reader.answer.locator("math")).to_have_count(2)
    covered = "() => document.elementFromPoint(60, 400)?.closest('nav') !== null"
    assert await reader.page.evaluate(covered)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nothing_keeps_anybody_out(readers: Readers, model: Model, axe: str, scheme: str) -> None:
    reader = await readers(color_scheme=scheme, **PHONE)
    model.says(TEXT)
    await reader.ask_to_end("Accessible")
    await expect(reader.answer.locator("math")).to_have_count(3)
    assert await faults(reader, axe) == []
