"""A long conversation: its end is there at once, the rest when the reader goes there, and nothing jumps meanwhile."""

import asyncio
import re
from collections.abc import Awaitable, Callable

import pytest
from browser.accessibility import faults
from browser.reader import PHONE, Reader, Readers
from browser.turns import LONG
from model import Model
from playwright.async_api import Locator, Route, expect

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

TWO_FRAMES = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


async def opened(reader: Reader, path: str) -> None:
    await reader.page.goto(reader.address + path)
    await expect(reader.question.locator(".bubble")).to_contain_text("Question 129.")


def bubble(reader: Reader, number: int) -> Locator:
    return reader.page.locator(".bubble", has_text=re.compile(rf"^Question {number}\.$"))


def late(come: asyncio.Event) -> Callable[[Route], Awaitable[None]]:
    async def answer(route: Route) -> None:
        response = await route.fetch()
        await come.wait()
        await route.fulfill(response=response)

    return answer


async def top_of(place: Locator) -> float:
    return float(await place.evaluate("(element) => element.getBoundingClientRect().top"))


@pytest.mark.parametrize("device", [{}, PHONE], ids=["desktop", "phone"])
async def test_its_end_comes_first_and_the_rest_by_scrolling(
    readers: Readers, long: str, device: dict[str, object]
) -> None:
    reader = await readers(**device)
    weighed = []
    reader.page.on("request", lambda request: weighed.append(request.url) if "total=true" in request.url else None)
    await opened(reader, long)
    await expect(reader.questions).to_have_count(50)
    spent = reader.page.locator("main header").get_by_role("button", name="What this conversation cost")
    sum_of_all = await spent.inner_text()
    for first in (80, 30):
        await bubble(reader, first).scroll_into_view_if_needed()
    await expect(reader.questions).to_have_count(LONG)
    await expect(reader.page.get_by_role("button", name="Show earlier messages")).to_have_count(0)
    await expect(spent).to_have_text(sum_of_all)
    assert len(weighed) == 1, "what all replies took is asked for once, not with each stretch"
    await expect(reader.questions.locator(".bubble")).to_have_text([f"Question {number}." for number in range(LONG)])


async def test_what_is_read_stays_where_it_is_when_more_comes_above(reader: Reader, long: str) -> None:
    come = asyncio.Event()
    await opened(reader, long)
    await expect(reader.questions).to_have_count(50)
    for first, top in ((80, 0), (30, 400)):
        come.clear()
        async with reader.page.expect_request("**/api/conversations/*before=*"):
            await reader.page.route("**/api/conversations/*before=*", late(come))
            await reader.scroller.evaluate("(scroller, top) => (scroller.scrollTop = top)", top)
        await reader.page.evaluate(TWO_FRAMES)
        before = await top_of(bubble(reader, first))
        come.set()
        await expect(bubble(reader, first - 1)).to_be_attached()
        await reader.page.evaluate(TWO_FRAMES)
        assert abs(await top_of(bubble(reader, first)) - before) <= 2


async def test_the_keyboard_comes_to_the_beginning(reader: Reader, long: str, axe: str) -> None:
    await opened(reader, long)
    earlier = reader.page.get_by_role("button", name="Show earlier messages")
    await expect(earlier).to_be_attached()
    assert await faults(reader, axe) == []
    while await reader.questions.count() < LONG:
        loaded = await reader.questions.count()
        await earlier.press("Enter")
        await expect(reader.questions).not_to_have_count(loaded)
        await expect(reader.page.get_by_test_id("announcer")).to_contain_text("Earlier messages are above.")
    await expect(reader.page.get_by_role("log")).to_be_focused()


async def test_a_found_message_is_shown_though_it_is_far_from_the_end(reader: Reader, long: str) -> None:
    await reader.search.fill("Question 7.")
    await expect(reader.hits.first).to_contain_text("Question")
    message = await message_of(reader, long, 7)
    await reader.page.goto(f"{reader.address}{long}?m={message}")
    await expect(bubble(reader, 7)).to_be_in_viewport()
    await expect(bubble(reader, 129)).to_be_attached()
    await reader.page.wait_for_load_state("networkidle")
    await reader.page.evaluate(TWO_FRAMES)
    await expect(bubble(reader, 7)).to_be_in_viewport()
    await reader.page.goto(reader.address + long)
    await reader.page.get_by_role("button", name="Scroll to the end").click()
    await expect(bubble(reader, 129)).to_be_in_viewport()
    await reader.page.goto(f"{reader.address}{long}?m={message}")
    await expect(bubble(reader, 7)).to_be_in_viewport()


async def test_a_link_to_a_message_asks_once_for_what_it_shows(reader: Reader, long: str) -> None:
    message = await message_of(reader, long, 100)
    asked_for: list[str] = []
    found = f"message={message}"
    reader.page.on("request", lambda request: asked_for.append(request.url) if found in request.url else None)
    await reader.page.goto(f"{reader.address}{long}?m={message}")
    await expect(bubble(reader, 100)).to_be_in_viewport()
    await reader.page.wait_for_timeout(500)
    assert len(asked_for) == 1
    await reader.page.evaluate("() => (location.hash = '#/')")
    await expect(reader.page.get_by_role("heading", level=1)).to_be_visible()
    await reader.page.go_back()
    await expect(bubble(reader, 100)).to_be_in_viewport()
    assert len(asked_for) == 2


async def message_of(reader: Reader, path: str, number: int) -> str:
    """Return the id of a question, of which a program that asks for no stretch is told as ever."""
    answer = await reader.page.request.get(f"{reader.address}/api/conversations/{path.removeprefix('/#/c/')}")
    whole = await answer.json()
    assert whole["whole"]
    assert len(whole["messages"]) >= 2 * LONG
    found: str = whole["messages"][2 * number]["id"]
    return found


async def edits(reader: Reader, path: str, number: int, text: str) -> Locator:
    """Ask a question anew; return where it stands as it was."""
    message = await message_of(reader, path, number)
    await reader.page.goto(f"{reader.address}{path}?m={message}")
    place = reader.page.locator(f'[data-message="{message}"]')
    await expect(place).to_be_in_viewport()
    await reader.press("Edit the question", place)
    await reader.page.get_by_role("textbox", name="Edit your question").fill(text)
    await reader.page.get_by_role("button", name="Send", exact=True).first.click()
    return place


async def test_versions_are_walked_though_what_follows_is_not_loaded(reader: Reader, long: str, model: Model) -> None:
    model.says("About something else.\n\n" * 60)
    place = await edits(reader, long, 20, "Another question.")
    await expect(reader.answer).to_contain_text("About something else.")
    await reader.ended()
    await reader.page.goto(reader.address + long)
    await expect(reader.question.locator(".bubble")).to_have_text("Another question.")
    await expect(bubble(reader, 0)).to_be_attached()

    below, come = "**/api/conversations/*message=*", asyncio.Event()
    reader.watch.expect("status of 503")
    await reader.page.route(below, lambda route: route.fulfill(status=503))
    await reader.press("Previous version", reader.question)
    await expect(reader.page.locator(".toast")).to_be_visible()
    await expect(reader.question.locator(".bubble")).to_have_text("Another question.")

    await reader.page.unroute(below)
    await reader.page.route(below, late(come))
    async with reader.page.expect_request(below):
        await reader.press("Previous version", reader.question)
    await reader.page.evaluate(TWO_FRAMES)
    await expect(reader.question.locator(".bubble")).to_have_text("Another question.")
    await expect(reader.answer).to_contain_text("About something else.")
    walking = reader.question.get_by_role("group", name="Version 2 of 2")
    await expect(walking).to_have_attribute("aria-busy", "true")
    come.set()
    await expect(bubble(reader, 129)).to_be_attached()
    await reader.page.evaluate(TWO_FRAMES)
    await expect(place).to_be_in_viewport()
    await expect(place.get_by_role("group", name="Version 1 of 2")).to_have_attribute("aria-busy", "false")
    await reader.page.reload()
    await expect(reader.question.locator(".bubble")).to_have_text("Question 129.")
    await expect(bubble(reader, 20)).to_have_count(0)


async def test_what_was_said_before_a_question_that_was_not_sent_is_found(reader: Reader, long: str) -> None:
    reader.watch.expect("status of 413")
    refusal = {"error": {"type": "too_large", "message": "Too large."}}
    await reader.page.route("**/api/turns", lambda route: route.fulfill(status=413, json=refusal))
    await edits(reader, long, 60, "What is refused?")
    await expect(reader.answer).to_contain_text("Not sent.")
    await reader.page.goto(reader.address + long)
    await reader.page.reload()
    await expect(reader.question.locator(".bubble")).to_have_text("What is refused?")
    await expect(bubble(reader, 59)).to_be_attached()
    await expect(bubble(reader, 58)).to_be_attached()
    await expect(bubble(reader, 60)).to_have_count(0)


async def test_a_found_message_is_in_the_middle_though_what_is_around_was_never_drawn(
    reader: Reader, long: str, model: Model
) -> None:
    model.says("About something else.\n\n" * 60)
    await edits(reader, long, 20, "One more question.")
    await reader.ended()
    for number in (9, 5):
        message = await message_of(reader, long, number)
        await reader.page.goto(reader.address)
        await reader.page.goto(f"{reader.address}{long}?m={message}")
        await expect(bubble(reader, number)).to_be_in_viewport()
        await expect(bubble(reader, 0)).to_be_attached()
        await reader.page.evaluate(TWO_FRAMES)
        await expect(bubble(reader, number)).to_be_in_viewport()
