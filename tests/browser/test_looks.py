"""How the page comes up: what it weighs, that nothing jumps or flashes, on a phone and in the dark."""

import asyncio
import re

import pytest
from browser.reader import PHONE, Reader, Readers
from model import Model
from playwright.async_api import Page, Route, expect
from upstream import gated

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

DARK, LIGHT = "rgb(28, 30, 29)", "rgb(253, 253, 252)"
TOUCH_PIXELS = 39
"""Targets for fingers are 44 pixels where they stand alone; a little less beside text."""

PRINTED_PAGE = re.compile(rb"/Type\s*/Page\b")

MOST_REQUESTS = 6
MOST_BYTES = 80 * 1024

SHIFTS = """() => {
    window.shifted = 0;
    const add = (list) => list.getEntries().forEach((entry) => (window.shifted += entry.value));
    new PerformanceObserver(add).observe({ type: "layout-shift", buffered: true });
}"""
WATCH_THEME = """() => {
    const set = () => (window.themeSetAt ??= performance.now());
    new MutationObserver(() => document.documentElement?.dataset.theme && set())
        .observe(document, { subtree: true, childList: true, attributes: true, attributeFilter: ["data-theme"] });
}"""
FIRST_PAINT = """() => new Promise((resolve) => {
    const first = (list) => resolve(list.getEntries()[0].startTime);
    new PerformanceObserver(first).observe({ type: "paint", buffered: true });
})"""
WATCH_PRINTING = """(message) => {
    addEventListener("beforeprint", async () => {
        for (let turn = 0; turn < 10; turn += 1) await null;
        window.printed = message.querySelector(".prose").textContent;
    });
}"""
BACKGROUND = "() => getComputedStyle(document.documentElement).backgroundColor"
INK_AND_GROUND = "(element) => [getComputedStyle(element).color, getComputedStyle(element).backgroundColor]"
SEEN_BACKGROUND = "(element) => getComputedStyle(element).backgroundColor"
TOO_WIDE = "() => document.documentElement.scrollWidth > innerWidth"
SMALL_TARGETS = f"""() => [...document.querySelectorAll("button, select, a, input, textarea")]
    .filter((element) => element.checkVisibility({{ opacityProperty: true, visibilityProperty: true }}))
    .filter((element) => !element.closest(".unseen") && !element.classList.contains("link") && !element.inert)
    .map((element) => (element.matches("[type=radio], [type=checkbox]") && element.closest("label")) || element)
    .map((element) => [element.getBoundingClientRect(), element.ariaLabel || element.textContent])
    .filter(([box]) => box.width > 0 && box.bottom > 0 && Math.min(box.width, box.height) < {TOUCH_PIXELS})
    .map(([box, name]) => `${{name}}: ${{box.width}} x ${{box.height}}`)"""


async def shifted(page: Page) -> float:
    result: float = await page.evaluate("window.shifted")
    return result


async def first_load(page: Page, address: str) -> list[float]:
    """Open an address with an empty cache until all is quiet; return the bytes of each answer."""
    session = await page.context.new_cdp_session(page)
    await session.send("Network.enable")
    await session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    await page.goto("about:blank")
    sizes: list[float] = []
    session.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    await page.goto(address, wait_until="networkidle")
    return sizes


async def test_the_first_load_is_light(readers: Readers) -> None:
    reader = await readers()
    sizes = await first_load(reader.page, reader.address)
    await expect(reader.box).to_be_editable()
    assert len(sizes) <= MOST_REQUESTS
    assert sum(sizes) <= MOST_BYTES


@pytest.mark.usefixtures("model")
async def test_nothing_jumps_while_the_page_comes_up(reader: Reader) -> None:
    await reader.ask_to_end("Something to list")
    await reader.page.add_init_script(f"({SHIFTS})()")
    for address in (reader.address, reader.page.url):
        await reader.page.goto("about:blank")
        await reader.page.goto(address, wait_until="networkidle")
        await expect(reader.rows.first).to_be_visible()
        assert await shifted(reader.page) < 0.01, address


async def test_nothing_jumps_while_the_model_list_is_slow(readers: Readers) -> None:
    reader = await readers()
    await reader.page.add_init_script(f"({SHIFTS})()")
    gate = await reader.hold_back("**/api/*")
    await reader.page.goto("about:blank")
    await reader.page.goto(reader.address)
    await expect(reader.box).to_be_editable()
    gate.set()
    await expect(reader.page.get_by_role("combobox", name="Model")).to_contain_text("gpt-test")
    assert await shifted(reader.page) < 0.01


async def test_dark_by_the_system(readers: Readers) -> None:
    assert await (await readers(color_scheme="dark")).page.evaluate(BACKGROUND) == DARK
    assert await (await readers(color_scheme="light")).page.evaluate(BACKGROUND) == LIGHT


async def test_a_chosen_theme_is_there_before_the_first_paint(readers: Readers) -> None:
    reader = await readers(color_scheme="light")
    await reader.press("Settings", reader.sidebar)
    await reader.page.get_by_role("radio", name="Dark").check()
    assert await reader.page.evaluate(BACKGROUND) == DARK

    async def slow(route: Route) -> None:
        await asyncio.sleep(0.3)
        await route.continue_()

    await reader.page.route("**/assets/*.js", slow)
    await reader.page.add_init_script(f"({WATCH_THEME})()")
    await reader.page.reload()
    await expect(reader.box).to_be_editable()
    painted = await reader.page.evaluate(FIRST_PAINT)
    assert 300 < await reader.page.evaluate("window.themeSetAt") <= painted
    assert await reader.page.evaluate(BACKGROUND) == DARK


async def test_a_phone_has_all_of_it(readers: Readers, model: Model) -> None:
    reader = await readers(**PHONE)
    model.title = "On the phone"
    await expect(reader.sidebar).to_have_count(0)
    assert await reader.page.evaluate(SMALL_TARGETS) == []
    await reader.box.tap()
    await reader.box.fill("A question with averyverylongwordthatdoesnotfit" + "x" * 80)
    await reader.page.get_by_role("button", name="Send").tap()
    await reader.ended()
    assert not await reader.page.evaluate(TOO_WIDE)
    await expect(reader.box).to_be_in_viewport(ratio=1)
    await reader.page.get_by_role("button", name="Show conversations").tap()
    await expect(reader.sidebar).to_be_visible()
    assert await reader.page.evaluate(SMALL_TARGETS) == []
    await reader.sidebar.get_by_role("button", name="New conversation").tap()
    await expect(reader.sidebar).to_have_count(0)
    await expect(reader.page.get_by_role("heading", name="What would you like to know?")).to_be_visible()
    await reader.page.get_by_role("button", name="Show conversations").tap()
    await reader.sidebar.get_by_role("link", name="On the phone").tap()
    await expect(reader.sidebar).to_have_count(0)
    await expect(reader.answer).to_contain_text("Hello there.")


async def test_under_fingers_enter_breaks_the_line_and_the_button_sends(readers: Readers, model: Model) -> None:
    reader = await readers(**PHONE)
    await reader.box.tap()
    await reader.page.keyboard.type("One\nTwo")
    await expect(reader.box).to_have_value("One\nTwo")
    await expect(reader.box).to_have_attribute("enterkeyhint", "enter")
    assert model.questions == []
    await reader.page.get_by_role("button", name="Send").tap()
    await reader.ended()
    await expect(reader.question.locator(".bubble")).to_have_text("One\nTwo", use_inner_text=True)
    await reader.press("Edit the question", reader.question)
    edited = reader.page.get_by_role("textbox", name="Edit your question")
    await edited.press("Enter")
    await expect(edited).to_have_value("One\nTwo\n")
    await expect(edited).to_have_attribute("enterkeyhint", "enter")
    await reader.press("Cancel")
    await reader.press("Show conversations")
    await reader.press("Keyboard shortcuts")
    await expect(reader.page.locator("dd").first).to_have_text("CtrlEnter")


async def test_the_box_for_an_edit_opens_fully_in_view(readers: Readers) -> None:
    reader = await readers(**{**PHONE, "viewport": {"width": 390, "height": 664}})
    for number in range(2):
        await reader.ask_to_end(f"Question {number}")
    assert 0 < await reader.scroller.evaluate("(scroller) => scroller.scrollTop") < 100
    edit = reader.questions.first.get_by_role("button", name="Edit the question")
    await edit.tap()
    edited = reader.page.get_by_role("textbox", name="Edit your question")
    await expect(edited).to_be_focused()
    await reader.page.wait_for_timeout(300)
    await expect(reader.page.locator("form", has=edited)).to_be_in_viewport(ratio=1)


async def test_a_tap_beside_the_drawer_closes_it(readers: Readers) -> None:
    reader = await readers(**PHONE)
    await reader.page.get_by_role("button", name="Show conversations").tap()
    await expect(reader.sidebar).to_be_visible()
    await reader.page.touchscreen.tap(375, 500)
    await expect(reader.sidebar).to_have_count(0)
    await reader.page.get_by_role("button", name="Show conversations").tap()
    await reader.page.keyboard.press("Escape")
    await expect(reader.sidebar).to_have_count(0)
    await expect(reader.page.get_by_role("button", name="Show conversations")).to_be_focused()


async def test_wide_tables_and_code_scroll_in_themselves_on_a_phone(readers: Readers, model: Model) -> None:
    reader = await readers(**PHONE)
    row = "| " + " | ".join(f"column number {number}" for number in range(12)) + " |"
    model.says(f"{row}\n{'| --- ' * 12}|\n{row}\n\n```\n{'a long line of code ' * 20}\n```\n")
    await reader.ask_to_end("Wide")
    await expect(reader.answer.get_by_role("cell").first).to_be_visible()
    assert not await reader.page.evaluate(TOO_WIDE)
    # Cut off between two columns it would look whole: shadows that stay say where there is more.
    table = reader.answer.get_by_role("group", name="Table")
    await expect(table).to_have_css("background-attachment", "local, local, scroll, scroll")


async def test_paper_gets_all_of_a_conversation_and_nothing_to_press(readers: Readers, model: Model) -> None:
    reader = await readers(color_scheme="dark")
    paragraphs = "\n\n".join(f"Paragraph {number}" for number in range(120))
    model.says(f"{paragraphs}\n\n```\n{'a long line ' * 40}\n```\n\n{'| averylongheading ' * 9}|\n{'| --- ' * 9}|\n")
    await reader.ask_to_end("Print this")
    await expect(reader.answer.locator("pre")).to_be_attached()
    assert len(PRINTED_PAGE.findall(await reader.page.pdf())) >= 4
    await reader.page.emulate_media(media="print")
    for pressed in (reader.sidebar, reader.box, reader.answer.get_by_role("button").first):
        await expect(pressed).to_be_hidden()
    assert await reader.page.evaluate(BACKGROUND) == LIGHT
    for wide in (reader.answer.locator("pre"), reader.answer.locator(".md-table")):
        assert await wide.evaluate("(element) => element.scrollWidth <= element.clientWidth")


async def test_what_is_not_drawn_yet_is_on_paper_all_the_same(reader: Reader, model: Model) -> None:
    model.says(f"{'A *paragraph* of **some** `length`. ' * 40}\n\n" * 100 + "The **end**.", "Short.")
    for number in range(14):
        await reader.ask_to_end(f"Question {number}")
    await reader.page.reload()
    await expect(reader.answer).to_contain_text("Short.")
    first = reader.answers.first
    await first.evaluate(WATCH_PRINTING)
    await reader.page.pdf()
    printed = await reader.page.evaluate("window.printed")
    assert printed.endswith("The end.")
    assert "**" not in printed


async def test_the_sidebar_can_be_hidden_and_stays_so(reader: Reader) -> None:
    await reader.press("Hide conversations")
    await expect(reader.sidebar).to_have_count(0)
    await reader.page.reload()
    await expect(reader.box).to_be_editable()
    await expect(reader.sidebar).to_have_count(0)
    await reader.press("Show conversations")
    await expect(reader.sidebar).to_be_visible()


async def test_what_only_a_background_says_has_an_edge_in_the_readers_own_colours(
    readers: Readers, model: Model
) -> None:
    reader = await readers(forced_colors="active")
    steps, _ = gated("one", "never said")
    model.says(steps)
    await reader.ask("Open now")
    await expect(reader.answer).to_contain_text("one")
    await reader.press("Stop the answer")
    for place in (
        reader.question.locator(".bubble"),
        reader.answer.locator(".note"),
        reader.row("Open now").locator("a"),
    ):
        await expect(place).to_have_css("outline-style", "solid")
    await reader.search.fill("open now")
    mark = reader.hits.locator("mark").first
    await expect(mark).to_be_visible()
    assert len(set(await mark.evaluate(INK_AND_GROUND))) == 2
    await expect(mark).to_have_css("forced-color-adjust", "none")  # no plate behind the letters
    await reader.page.goto(f"{reader.address}/#/usage")
    await expect(reader.page.locator("canvas")).to_be_visible()
    chosen, other = (reader.page.locator(f".pills input{which} + span").first for which in (":checked", ""))
    ink, ground = await chosen.evaluate(INK_AND_GROUND)
    assert ground not in {ink, (await other.evaluate(INK_AND_GROUND))[1]}
    await expect(chosen).to_have_css("forced-color-adjust", "none")
    swatch = reader.page.locator("main li .series-0")
    assert await swatch.evaluate(SEEN_BACKGROUND) not in {LIGHT, "rgb(255, 255, 255)", "rgba(0, 0, 0, 0)"}
