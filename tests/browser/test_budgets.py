"""Budgets as the page tells of them: nearly used up, used up, and a model that nobody knows the price of."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from browser.accessibility import faults
from browser.reader import PHONE, Readers
from browser.test_looks import MOST_BYTES, MOST_REQUESTS, first_load
from model import Model
from playwright.async_api import expect
from program import Program, serving
from upstream import DONE, ROLE, Step, ending, text, usage

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

OURS = {"Sec-Fetch-Site": "same-origin"}
SETTINGS = {
    "DAEHWA_PRICES": "gpt-test input 100 output 100",
    "DAEHWA_BUDGETS": "user month 1, key month 0.50",
    "DAEHWA_TITLES": "false",
}


@pytest_asyncio.fixture(loop_scope="session")
async def program(tmp_path_factory: pytest.TempPathFactory, played: Model) -> AsyncIterator[Program]:
    settings = {"OPENAI_BASE_URL": played.upstream.base_url, **SETTINGS}
    async with serving(tmp_path_factory.mktemp("home") / "data", settings) as running:
        yield running


def costing(dollars: float) -> list[Step]:
    """Answer so that it costs this much."""
    tokens = round(dollars * 10_000)
    return [ROLE, text("Paid."), ending(), usage(tokens - 10, 10), DONE]


async def test_a_budget_is_spoken_of_before_it_is_used_up_and_then(readers: Readers, model: Model, axe: str) -> None:
    reader = await readers()
    warning = reader.page.get_by_test_id("budget-warning")
    model.says(costing(0.70), costing(0.14), costing(0.30))
    await reader.ask_to_end("One")
    await expect(warning).to_have_count(0)
    await reader.ask_to_end("Two")
    await expect(warning).to_contain_text("84% of your budget for this month is used: $0.84 of $1.00. It renews on ")
    assert await faults(reader, axe) == []
    await warning.get_by_role("button", name="Hide this note").click()
    await expect(warning).to_have_count(0)
    await reader.page.reload()
    await expect(reader.answer).to_be_visible()
    await expect(warning).to_have_count(0)
    await reader.ask_to_end("Three")
    await expect(warning).to_contain_text("Nothing is left of your budget for this month ($1.00). It renews on ")
    reader.watch.expect("429")
    await reader.ask("Four")
    await expect(reader.answer).to_contain_text("No budget has enough left for this question.")
    await expect(reader.answer).not_to_contain_text("Nothing is left of your budget for this month")
    await expect(reader.answer.get_by_role("button", name="Try again")).to_be_visible()
    await expect(reader.page.get_by_test_id("announcer")).to_have_text("No answer came.")
    assert await faults(reader, axe) == []
    await warning.get_by_role("button", name="Hide this note").click()
    await expect(reader.answer).to_contain_text("Nothing is left of your budget for this month")
    await expect(reader.answer).not_to_contain_text("No budget has enough left for this question.")


async def test_a_question_that_costs_more_than_is_left_is_told_how_much_that_is(readers: Readers, model: Model) -> None:
    reader = await readers()
    model.says(costing(0.60))
    await reader.ask_to_end("One")
    reader.watch.expect("429")
    await reader.ask("word " * 4_000)  # more than forty cents, as it is estimated
    await expect(reader.answer).to_contain_text("No budget has enough left for this question.")
    await expect(reader.answer).to_contain_text(
        "60% of your budget for this month is used: $0.60 of $1.00. It renews on "
    )
    await expect(reader.page.get_by_test_id("budget-warning")).to_have_count(0)
    # One that is refused at once begins a conversation that the server does not know; it is found again all the same.
    await reader.press("New conversation")
    await reader.ask("Ever " * 4_000)
    await expect(reader.answer).to_contain_text("No budget has enough left for this question.")
    await reader.open()
    refused = reader.rows.filter(has_text="Ever Ever")
    await refused.get_by_role("link").click()
    await expect(reader.question).to_contain_text("Ever Ever")
    await expect(reader.answer.get_by_role("button", name="Try again")).to_be_visible()
    await reader.choose(refused, "Delete")
    await expect(refused).to_have_count(0)
    await reader.open()
    await expect(reader.rows).to_have_count(1)


async def test_the_budget_that_had_no_room_is_the_one_that_is_named(readers: Readers, model: Model) -> None:
    reader = await readers()
    # As where the reader is told of another one only: what everybody spends together is an admin's business.
    day = {"scope": "user:owner", "period": "2026-11-22", "kind": "day", "limit": 9_000_000, "spent": 90_000}
    told = {"budgets": [{**day, "renews": None}]}
    await reader.page.route("**/api/budgets", lambda route: route.fulfill(json=told))
    await reader.page.reload()
    model.says(costing(0.60))
    await reader.ask_to_end("One")
    await reader.ask("word " * 4_000)
    await expect(reader.answer).to_contain_text(
        "Too little is left of your budget for this month ($1.00). It renews on"
    )
    await expect(reader.answer).not_to_contain_text("1%")


async def test_a_key_says_how_much_of_its_budgets_is_used(readers: Readers, model: Model, axe: str) -> None:
    reader = await readers()
    ask = reader.page.context.request
    made = await (await ask.post(f"{reader.address}/api/keys", data={"name": "Editor", "day": 0}, headers=OURS)).json()
    spare = await (await ask.post(f"{reader.address}/api/keys", data={"name": "Spare"}, headers=OURS)).json()
    model.says(costing(0.42))
    question = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 9, "stream": True}
    headers = {"authorization": f"Bearer {spare['secret']}"}
    assert (await ask.post(f"{reader.address}/v1/chat/completions", data=question, headers=headers)).ok
    await reader.page.goto(f"{reader.address}/#/keys")
    entries = reader.page.get_by_role("listitem")
    await expect(entries.filter(has_text=spare["key"]["prefix"])).to_contain_text("$0.42 of $0.50 84% is used")
    await expect(entries.filter(has_text=made["key"]["prefix"])).to_contain_text("$0.00 of $0.00 Nothing is left")
    assert await faults(reader, axe) == []


async def test_on_a_phone_in_korean_and_in_the_dark(readers: Readers, model: Model, axe: str) -> None:
    reader = await readers(**PHONE, locale="ko-KR", color_scheme="dark")
    model.says(costing(0.90))
    await reader.page.locator("#message").fill("얼마예요?")
    await reader.page.keyboard.press("Control+Enter")
    warning = reader.page.get_by_test_id("budget-warning")
    await expect(warning).to_contain_text("내 이번 달 예산 $1.00 중 $0.90(90%)를 사용했어요.")
    assert await faults(reader, axe) == []
    assert await reader.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_the_first_load_takes_no_request_more_for_them(readers: Readers, model: Model) -> None:
    reader = await readers()
    model.says(costing(0.90))
    await reader.ask_to_end("One")
    other = await readers()
    sizes = await first_load(other.page, other.address)
    await expect(other.page.get_by_test_id("budget-warning")).to_contain_text("90% of your budget for this month")
    assert len(sizes) <= MOST_REQUESTS
    assert sum(sizes) <= MOST_BYTES
