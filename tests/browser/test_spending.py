"""What answers, conversations and days cost, as the page shows it: in both languages, on all screens, by keyboard."""

import csv
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from browser.accessibility import faults
from browser.reader import PHONE, Reader, Readers, all_closed
from browser.test_looks import SMALL_TARGETS, TOO_WIDE
from model import Model
from playwright.async_api import Locator, expect
from program import Program, serving
from upstream import DONE, ROLE, ending, text, usage

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

PRICES = "gpt-test input 2 output 8"
LONG = "word " * 4_000
"""5,000 tokens, as the page counts them."""
PLACE_OF_DETAILS = """() => {
    const { left, top, height } = document.querySelector(":popover-open").getBoundingClientRect();
    return [left, top, height];
}"""
FRAME = "() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def program(tmp_path_factory: pytest.TempPathFactory, played: Model) -> AsyncIterator[Program]:
    settings = {"OPENAI_BASE_URL": played.upstream.base_url, "DAEHWA_PRICES": PRICES}
    async with serving(tmp_path_factory.mktemp("home") / "data", settings) as running:
        yield running


def bars(reader: Reader, name: str) -> Locator:
    return reader.page.get_by_role("slider", name=name)


def written(file: Path) -> str:
    return file.read_text("utf-8-sig")


async def test_an_answer_and_its_conversation_say_what_they_cost(reader: Reader, model: Model) -> None:
    model.says([ROLE, text("Dear."), ending(), usage(1000, 204), DONE])
    await reader.ask_to_end("What do you cost?")
    await reader.answer.hover()
    await expect(reader.answer).to_contain_text("1,000 input and 204 output tokens")
    await expect(reader.answer).to_contain_text("$0.0036")
    await reader.press("1,000 input and 204 output tokens $0.0036", reader.answer)
    details = reader.page.get_by_role("dialog", name="What this answer cost")
    await expect(details).to_contain_text("Cost$0.0036")
    await reader.page.keyboard.press("Escape")
    await expect(details).to_be_hidden()
    await expect(reader.row("A short title")).to_be_visible()
    whole = reader.page.locator("main header").get_by_role("button", name="What this conversation cost")
    await expect(whole).to_contain_text("$0.0037")  # with the title, which comes after the answer's end
    await whole.click()
    details = reader.page.get_by_role("dialog", name="What this conversation cost")
    await expect(details).to_contain_text("All versions of the answers and the title’s own call")
    await reader.page.keyboard.press("Escape")
    await expect(whole).to_be_focused()


async def test_what_an_answer_cost_is_shown_whole_wherever_the_answer_stands(reader: Reader, model: Model) -> None:
    model.says([ROLE, text("Dear."), ending(), usage(1000, 204), DONE])
    await reader.ask_to_end("What do you cost?")
    details = reader.page.get_by_role("dialog", name="What this answer cost")
    for height in range(300, 721, 20):
        await reader.page.set_viewport_size({"width": 640, "height": height})
        await reader.press("1,000 input and 204 output tokens $0.0036", reader.answer)
        await expect(details).to_contain_text("Cost$0.0036")
        await expect(details).to_be_in_viewport(ratio=1)
        await reader.page.keyboard.press("Escape")


async def test_what_an_answer_cost_is_in_its_place_at_once(reader: Reader, model: Model) -> None:
    """What is placed only when the browser reports that it is open is painted in a corner before."""
    model.says([ROLE, text("Dear."), ending(), usage(1000, 204), DONE])
    await reader.ask_to_end("What do you cost?")
    opener = reader.answer.get_by_role("button", name="1,000 input and 204 output tokens $0.0036")
    first = await opener.evaluate(f"(opener) => (opener.click(), ({PLACE_OF_DETAILS})())")
    await reader.page.evaluate(FRAME)
    assert await reader.page.evaluate(PLACE_OF_DETAILS) == first
    await expect(opener).to_have_attribute("aria-expanded", "true")
    await opener.click()
    await expect(reader.page.locator(":popover-open")).to_have_count(0)
    await expect(opener).to_have_attribute("aria-expanded", "false")


async def test_a_long_question_says_what_it_would_cost(reader: Reader) -> None:
    before = await reader.box.evaluate("box => box.closest('form').getBoundingClientRect().bottom")
    await reader.box.fill("A short one")
    estimate = reader.page.get_by_test_id("estimate")
    await expect(estimate).to_have_count(0)
    await reader.box.fill(LONG)
    await expect(estimate).to_have_text("About 5,000 input tokens, about $0.01. The answer comes on top.")
    await reader.box.fill("")
    await expect(estimate).to_have_count(0)
    assert await reader.box.evaluate("box => box.closest('form').getBoundingClientRect().bottom") == before


async def test_the_usage_of_a_period(reader: Reader, model: Model) -> None:
    model.says([ROLE, text("Here."), ending(), usage(3000, 500), DONE])
    await reader.ask_to_end("Count this")
    await expect(reader.row("A short title").first).to_be_visible()
    await reader.sidebar.get_by_role("link", name="Usage and costs").focus()
    await reader.page.keyboard.press("Enter")
    heading = reader.page.get_by_role("heading", name="Usage and costs", level=1)
    await expect(heading).to_be_focused()
    await expect(reader.page).to_have_title("Usage and costs · daehwa")
    table = reader.page.get_by_role("table", name="Model: sums of the period")
    await expect(table.get_by_role("row", name="openai/gpt-test")).to_contain_text("$0.0")
    await reader.page.get_by_role("radio", name="Kind").check(force=True)
    table = reader.page.get_by_role("table", name="Kind: sums of the period")
    await expect(table.get_by_role("row", name="Answers in the page")).to_be_visible()
    await expect(table.get_by_role("row", name="Titles")).to_be_visible()
    await expect(table.get_by_role("row", name="Total")).to_be_visible()
    await reader.page.get_by_text("Every day in numbers").click()
    await expect(reader.page.get_by_role("rowheader", name="Titles").last).to_be_visible()
    await reader.page.get_by_role("radio", name="Own period").check(force=True)
    await reader.page.get_by_role("textbox", name="From").fill("2020-01-01")
    await expect(reader.page.get_by_role("alert")).to_have_text("At most 366 days can be shown at once.")
    await reader.page.get_by_role("textbox", name="To").fill("2020-01-31")
    await expect(reader.page.get_by_text("Nothing was asked in this period.")).to_be_visible()
    await reader.page.go_back()
    await expect(reader.answer).to_be_visible()


async def test_the_charts_are_read_by_keyboard(reader: Reader, model: Model) -> None:
    model.says([ROLE, text("Here."), ending(), usage(3000, 500), DONE])
    await reader.ask_to_end("Count this")
    await reader.page.goto(f"{reader.address}/#/usage")
    cost = bars(reader, "Cost by day")
    await expect(cost.locator("canvas")).to_have_js_property("style.display", "block")
    await cost.focus()
    today = await cost.get_attribute("aria-valuetext") or ""
    assert "$0.0" in today
    await reader.page.keyboard.press("ArrowLeft")
    await expect(cost).to_have_attribute("aria-valuenow", "28")
    await expect(cost).not_to_have_attribute("aria-valuetext", today)
    await reader.page.keyboard.press("Home")
    await expect(cost).to_have_attribute("aria-valuenow", "0")
    await reader.page.keyboard.press("End")
    await expect(cost).to_have_attribute("aria-valuetext", today)
    await expect(bars(reader, "Tokens by day")).to_have_attribute("aria-valuenow", "29")


async def test_the_numbers_can_be_taken_along(reader: Reader) -> None:
    await reader.ask_to_end("Count this")
    await reader.page.goto(f"{reader.address}/#/usage")
    async with reader.page.expect_download() as waiting:
        await reader.page.get_by_role("link", name="CSV").click()
    download = await waiting.value
    assert download.suggested_filename.startswith("daehwa-usage-")
    rows = list(csv.DictReader(io.StringIO(written(await download.path()))))
    assert {row["model"] for row in rows} == {"openai/gpt-test"}
    async with reader.page.expect_download() as waiting:
        await reader.page.get_by_role("link", name="JSON").click()
    download = await waiting.value
    assert json.loads(written(await download.path()))["rows"]


async def test_the_charts_come_only_to_those_who_look_at_them(readers: Readers) -> None:
    reader = await readers()
    asked: list[str] = []
    reader.page.on("request", lambda request: asked.append(request.url))
    await reader.page.reload(wait_until="networkidle")
    assert not [url for url in asked if "chart" in url or "Screen" in url]
    await reader.page.goto(f"{reader.address}/#/usage")
    await expect(reader.page.locator("canvas").first).to_be_visible()
    assert [url for url in asked if "UsageScreen" in url]


async def test_korean(readers: Readers, model: Model) -> None:
    reader = await readers(locale="ko-KR")
    model.says([ROLE, text("네."), ending(), usage(1000, 200), DONE])
    await reader.page.locator("#message").fill("얼마예요?")
    await reader.page.keyboard.press("Enter")
    answer = reader.page.get_by_role("article", name="답변")
    await expect(answer).to_contain_text("입력 1,000토큰, 출력 200토큰")
    await reader.page.locator("#message").fill("가나다라 " * 1_000)
    await expect(reader.page.get_by_test_id("estimate")).to_contain_text("답변 비용은 따로 더해져요.")
    await reader.page.goto(f"{reader.address}/#/usage")
    await expect(reader.page.get_by_role("heading", name="사용량과 비용", level=1)).to_be_visible()
    await expect(reader.page.get_by_role("slider", name="일별 비용")).to_be_visible()
    left = await reader.page.locator("main").inner_text()
    assert "Cost" not in left
    assert "Tokens" not in left


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("device", ["wide", "phone"])
async def test_nothing_is_in_the_way_of_anybody(readers: Readers, axe: str, scheme: str, device: str) -> None:
    options: dict[str, Any] = PHONE if device == "phone" else {}
    reader = await readers(color_scheme=scheme, **options)
    await reader.ask_to_end("Something to count")
    await reader.answer.hover()
    await reader.answer.get_by_role("button", name="output tokens").click()
    seen = {"cost": await faults(reader, axe)}
    await reader.page.keyboard.press("Escape")
    await all_closed(reader.page)
    await reader.page.goto(f"{reader.address}/#/usage")
    await expect(reader.page.locator("canvas").first).to_be_visible()
    await reader.page.get_by_text("Every day in numbers").click()
    seen["usage"] = await faults(reader, axe)
    assert seen == {state: [] for state in seen}, json.dumps(seen, indent=1)
    assert not await reader.page.evaluate(TOO_WIDE)
    if device == "phone":
        assert await reader.page.evaluate(SMALL_TARGETS) == []


async def test_a_model_that_goes_on_with_text_is_named_so(reader: Reader) -> None:
    chat = {"id": "openai/gpt-test", "name": "gpt-test", "provider": "openai"}
    old = {"id": "openai/davinci", "name": "davinci", "provider": "openai", "kind": "completion"}
    ear = {"id": "openai/whisper-1", "name": "whisper-1", "provider": "openai", "kind": "audio"}
    listing = {"models": [chat, old, ear], "default": chat["id"]}
    await reader.page.route("**/api/models", lambda route: route.fulfill(json=listing))
    await reader.page.reload()
    picker = reader.page.get_by_role("combobox", name="Model")
    await expect(picker.get_by_role("option")).to_have_text(["gpt-test", "davinci (continues text)"])
    await picker.select_option("openai/davinci")
    await expect(picker).to_have_value("openai/davinci")
