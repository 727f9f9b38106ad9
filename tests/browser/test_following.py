"""An answer that grows: through reloads, in two tabs, stopped, offline and back."""

import asyncio
import re
import time

import pytest
from browser.reader import Reader, Readers
from model import Model
from playwright.async_api import Route, expect
from upstream import ROLE, Answer, Step, gated, stream, text

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

STOPPED_WITHIN_SECONDS = 0.2
OFFLINE = "net::ERR_"
FIRST_OUT_OF_PLACE = """(answer) => [...answer.querySelectorAll("li")]
    .findIndex((item, index) => !item.textContent.startsWith(`Item ${index} `))"""
CONTINUE_AT_ONCE = """() => new MutationObserver((_, observer) => {
    const go = document.querySelector(".note .button.main");
    if (go) observer.disconnect(), go.click();
}).observe(document.body, { childList: true, subtree: true })"""
HOLD_TURNS = """() => {
    const later = window.setTimeout;
    const held = [];
    window.setTimeout = (act, after, ...more) => after === undefined ? held.push(act) : later(act, after, ...more);
    window.giveTurns = async () => {
        let given = 0;
        for (; held.length > 0; given += 1) {
            held.shift()();
            await new Promise((resolve) => later(resolve, 0));
        }
        return given;
    };
}"""


async def test_a_reload_in_the_middle_shows_what_there_was_and_goes_on(reader: Reader, model: Model) -> None:
    steps, gates = gated("one two ", "three four ", "five six ", "seven.")
    model.says(steps)
    await reader.ask("Count")
    await expect(reader.answer).to_contain_text("one two")
    gates[0].set()
    await expect(reader.answer).to_contain_text("three four")
    await reader.page.reload()
    await expect(reader.answer.locator(".prose")).to_have_text("one two three four")
    await expect(reader.answer).to_have_attribute("aria-busy", "true")
    gates[1].set()
    await expect(reader.answer.locator(".prose")).to_have_text("one two three four five six")
    gates[2].set()
    await reader.ended()
    await expect(reader.answer.locator(".prose")).to_have_text("one two three four five six seven.")
    await expect(reader.questions).to_have_count(1)
    await expect(reader.answers).to_have_count(1)
    assert len(model.questions) == 1


async def test_closing_the_tab_loses_nothing(reader: Reader, model: Model) -> None:
    steps, gates = gated("begun, ", "and done.")
    model.says(steps)
    await reader.ask("Go on without me")
    await expect(reader.answer).to_contain_text("begun,")
    address = reader.page.url
    context = reader.page.context
    await reader.page.close()
    gates[0].set()
    await asyncio.wait_for(model.questions[0].answered.wait(), 10)
    other = Reader(await context.new_page(), reader.address, reader.watch)
    await other.page.goto(address)
    await expect(other.answer.locator(".prose")).to_have_text("begun, and done.")


async def test_stop_ends_the_paid_call_at_once_and_keeps_the_text(reader: Reader, model: Model) -> None:
    steps, _ = gated("one two three ", "never said")
    model.says(steps)
    await reader.ask("Count")
    await expect(reader.answer).to_contain_text("one two three")
    await reader.page.evaluate(
        "addEventListener('click', () => (window.clickedAt = performance.timeOrigin + performance.now()), true)"
    )
    wall = time.time() - time.monotonic()
    await reader.press("Stop the answer")
    asked = await model.question()
    await asyncio.wait_for(asked.closed.wait(), 5)
    assert asked.closed_at is not None
    clicked_at = await reader.page.evaluate("window.clickedAt") / 1000
    assert asked.closed_at + wall - clicked_at < STOPPED_WITHIN_SECONDS
    await expect(reader.answer).to_contain_text("You stopped this answer.")
    await expect(reader.answer.locator(".prose")).to_have_text("one two three")
    await expect(reader.page.get_by_test_id("announcer")).to_have_text("The answer was stopped.")
    await reader.page.reload()
    await expect(reader.answer).to_contain_text("You stopped this answer.")
    await expect(reader.answer.locator(".prose")).to_have_text("one two three")


async def test_a_model_that_only_says_that_it_is_at_it_is_waited_for(reader: Reader, model: Model) -> None:
    """For minutes, as a provider whose model has a queue before it does."""
    steps: list[Step] = [step for _ in range(600) for step in (b": PROCESSING\n\n", 0.2)]
    model.says(steps)
    await reader.page.clock.install()
    await reader.ask("Is anybody there?")
    waiting = reader.answer.locator(".waiting")
    await expect(waiting).to_have_text("Waiting for the first word…")
    await reader.page.clock.run_for(125_000)
    await expect(reader.answer.get_by_role("timer")).to_have_text(re.compile(r"^2:\d\d$"))
    await expect(waiting).to_contain_text("Waiting for the first word…")
    await reader.press("Stop the answer")
    await expect(waiting).to_have_count(0)
    asked = await model.question()
    await asyncio.wait_for(asked.closed.wait(), 5)
    await expect(reader.answer).to_contain_text("You stopped this answer.")


async def test_the_wait_for_the_network_is_none_for_the_first_word(reader: Reader, model: Model) -> None:
    reader.watch.expect(OFFLINE)
    model.says([b": PROCESSING\n\n", asyncio.Event()])
    await reader.page.clock.install()
    await reader.page.context.set_offline(True)
    await reader.ask("Is anybody there?")
    waiting = reader.answer.locator(".waiting")
    await expect(waiting).to_contain_text("Not sent yet.")
    await reader.page.clock.run_for(120_000)
    await reader.page.context.set_offline(False)
    await expect(waiting).to_have_text("Waiting for the first word…")
    await reader.page.clock.run_for(15_000)
    await expect(reader.answer.get_by_role("timer")).to_have_text(re.compile(r"^0:1\d$"))
    await reader.press("Stop the answer")


async def test_a_reload_knows_how_long_it_has_been_waited(reader: Reader, model: Model) -> None:
    model.says([b": PROCESSING\n\n", asyncio.Event()])
    await reader.ask("Is anybody there?")
    await expect(reader.answer.locator(".waiting")).to_have_text("Waiting for the first word…")
    asked_seconds_earlier = 130

    async def earlier(route: Route) -> None:
        response = await route.fetch()
        found = await response.json()
        for message in found["messages"]:
            message["created"] -= asked_seconds_earlier * 1000
        await route.fulfill(response=response, json=found)

    await reader.page.route(re.compile(r"/api/conversations/[^/?]+\?"), earlier)
    await reader.page.reload()
    await expect(reader.answer.get_by_role("timer")).to_have_text(re.compile(r"^2:[1-3]\d$"))
    await reader.press("Stop the answer")


async def test_a_stopped_answer_goes_on_by_continue(reader: Reader, model: Model) -> None:
    steps, _ = gated("one two ", "never said")
    model.says(steps, "three four")
    await reader.ask("Count")
    await expect(reader.answer).to_contain_text("one two")
    await reader.box.press("Escape")
    await expect(reader.answer).to_contain_text("You stopped this answer.")
    await reader.press("Continue")
    await expect(reader.answer.locator(".prose")).to_have_text("one two three four")
    await reader.ended()
    await expect(reader.answers).to_have_count(1)
    sent = model.questions[1].json["messages"]
    assert {"role": "assistant", "content": "one two "} in sent


async def test_an_answer_that_goes_on_before_it_is_drawn_is_drawn_once(reader: Reader, model: Model) -> None:
    """A long text is drawn by turns: those of the first part are held until the second one stands."""
    items = "".join(f"1. Item {number} is [long][a].\n\n   It has **more** `words`.\n\n" for number in range(4000))
    more, gates = gated("The last words.", " The very last.")
    model.says([ROLE, text(f"{items}Its end.\n\n[a]: https://a.example\n\n"), asyncio.Event()], more)
    await reader.page.evaluate(HOLD_TURNS)
    await reader.page.evaluate(CONTINUE_AT_ONCE)
    await reader.ask("Much to draw")
    await expect(reader.answer).to_contain_text("Item 0")
    await reader.press("Stop the answer")
    prose = reader.answer.locator(".prose")
    await expect(prose).to_contain_text("The last words.")
    assert await reader.page.evaluate("giveTurns()") > 0
    await expect(prose).to_contain_text("The last words.")
    gates[0].set()
    await expect(prose).to_contain_text("The last words. The very last.")
    await reader.ended()
    await reader.page.evaluate("giveTurns()")
    await expect(reader.answer.locator("li a")).to_have_count(4000)
    await expect(prose).to_contain_text("The last words. The very last.")
    assert await reader.answer.evaluate(FIRST_OUT_OF_PLACE) == -1


async def test_a_second_tab_follows_a_running_answer(reader: Reader, model: Model) -> None:
    steps, gates = gated("one ", "two ", "three.")
    model.says(steps)
    model.title = "Seen in both tabs"
    await reader.ask("Count")
    await expect(reader.answer).to_contain_text("one")
    other = await reader.tab()
    await expect(other.answer).to_contain_text("one")
    gates[0].set()
    await expect(other.answer).to_contain_text("one two")
    await expect(reader.answer).to_contain_text("one two")
    gates[1].set()
    for tab in (reader, other):
        await tab.ended()
        await expect(tab.answer.locator(".prose")).to_have_text("one two three.")
        await expect(tab.row("Seen in both tabs")).to_be_visible()
    assert len(model.questions) == 1


async def test_what_one_tab_asks_another_shows(reader: Reader, model: Model) -> None:
    other = await reader.tab()
    model.title = "From the first tab"
    await reader.ask_to_end("Something new")
    await expect(other.row("From the first tab")).to_be_visible()
    await other.row("From the first tab").click()
    await expect(other.answer.locator(".prose")).to_have_text("Hello there.")
    steps, gates = gated("More ", "of it.")
    model.says(steps)
    await reader.ask("And more?")
    await expect(other.question).to_contain_text("And more?")
    await expect(other.answer).to_contain_text("More")
    gates[0].set()
    await expect(other.answer.locator(".prose")).to_have_text("More of it.")


async def test_two_tabs_stop_alike(reader: Reader, model: Model) -> None:
    steps, _ = gated("one two ", "never said")
    model.says(steps)
    await reader.ask("Count")
    await expect(reader.answer).to_contain_text("one two")
    other = await reader.tab()
    await other.press("Stop the answer")
    for tab in (reader, other):
        await expect(tab.answer).to_contain_text("You stopped this answer.")


async def test_a_question_asked_offline_is_sent_once_when_the_connection_is_back(reader: Reader, model: Model) -> None:
    reader.watch.expect(OFFLINE)
    await reader.page.context.set_offline(True)
    await expect(reader.banner).to_contain_text("You are offline.")
    await reader.ask("Are you there?")
    await expect(reader.question).to_contain_text("Are you there?")
    await expect(reader.answer).to_contain_text("Not sent yet.")
    assert model.questions == []
    await reader.page.context.set_offline(False)
    await expect(reader.answer.locator(".prose")).to_have_text("Hello there.")
    await expect(reader.banner).to_be_empty()
    await reader.ended()
    await expect(reader.questions).to_have_count(1)
    assert len(model.questions) == 1
    await reader.page.reload()
    await expect(reader.answer.locator(".prose")).to_have_text("Hello there.")
    await expect(reader.questions).to_have_count(1)
    assert len(model.questions) == 1


async def test_a_question_that_waits_to_be_sent_can_be_taken_back(reader: Reader, model: Model) -> None:
    reader.watch.expect(OFFLINE)
    await reader.page.context.set_offline(True)
    await reader.ask("Never mind")
    await expect(reader.answer).to_contain_text("Not sent yet.")
    await reader.press("Take the question back")
    await expect(reader.questions).to_have_count(0)
    await expect(reader.box).to_have_value("Never mind")
    await reader.page.context.set_offline(False)
    await expect(reader.banner).to_be_empty()
    assert model.questions == []


async def test_a_title_made_while_the_page_reloads_is_there_soon(reader: Reader, model: Model) -> None:
    named = "**/api/conversations/*"

    async def unnamed(route: Route) -> None:
        answer = await route.fetch()
        body = await answer.json()
        body["conversation"] |= {"title": "Anything", "title_source": "question"}
        await route.fulfill(response=answer, json=body)

    model.title = "Named meanwhile"
    await reader.ask_to_end("Anything")
    await expect(reader.page).to_have_title("Named meanwhile · daehwa")
    await reader.page.route(named, unnamed)
    await reader.page.reload()
    await expect(reader.page).to_have_title("Anything · daehwa")
    await reader.page.unroute(named)
    await expect(reader.page).to_have_title("Named meanwhile · daehwa", timeout=5_000)


async def test_two_tabs_coming_back_send_a_question_once(reader: Reader, model: Model) -> None:
    reader.watch.expect(OFFLINE)
    await reader.ask_to_end("The first one")
    other = await reader.tab()
    await reader.page.context.set_offline(True)
    for tab in (reader, other):
        await expect(tab.banner).to_contain_text("You are offline.")
    await reader.ask("The second one")
    await expect(reader.answer).to_contain_text("Not sent yet.")
    await reader.page.context.set_offline(False)
    for tab in (reader, other):
        await expect(tab.questions).to_have_count(2)
        await expect(tab.answers.locator(".prose")).to_have_text(["Hello there.", "Hello there."])
        await tab.ended()
    assert len(model.questions) == 2


async def test_a_question_that_waits_to_be_sent_survives_a_reload(reader: Reader, model: Model) -> None:
    reader.watch.expect(OFFLINE)
    await reader.page.route("**/api/turns", lambda route: route.abort("connectionfailed"))
    await reader.ask("Do not lose me")
    await expect(reader.answer).to_contain_text("Not sent yet.")
    reader.watch.expect("status of 404")  # the server does not know this conversation yet
    await reader.page.reload()
    await expect(reader.question.locator(".bubble")).to_have_text("Do not lose me")
    assert model.questions == []
    await reader.page.unroute("**/api/turns")
    await expect(reader.answer.locator(".prose")).to_have_text("Hello there.", timeout=20_000)
    await expect(reader.questions).to_have_count(1)
    assert len(model.questions) == 1


async def test_an_answer_goes_on_after_a_lost_connection(reader: Reader, model: Model) -> None:
    reader.watch.expect(OFFLINE)
    steps, gates = gated("before ", "meanwhile ", "after.")
    model.says(steps)
    await reader.ask("Keep going")
    await expect(reader.answer).to_contain_text("before")
    await reader.page.context.set_offline(True)
    await expect(reader.banner).to_contain_text("You are offline.")
    gates[0].set()
    await reader.page.context.set_offline(False)
    gates[1].set()
    await expect(reader.answer.locator(".prose")).to_have_text("before meanwhile after.")
    await reader.ended()
    assert len(model.questions) == 1


async def test_an_answer_goes_on_while_another_conversation_is_open(reader: Reader, model: Model) -> None:
    steps, gates = gated("one ", "two ", "three.")
    model.says(steps, "Something else.")
    await reader.ask("Count")
    await expect(reader.answer).to_contain_text("one")
    await reader.press("New conversation", reader.sidebar)
    await expect(reader.answers).to_have_count(0)
    await reader.ask_to_end("What else?")
    await expect(reader.answer.locator(".prose")).to_have_text("Something else.")
    gates[0].set()
    await reader.row("Count").first.get_by_role("link").click()
    await expect(reader.question.locator(".bubble")).to_have_text("Count")
    await expect(reader.answer.locator(".prose")).to_have_text("one two")
    gates[1].set()
    await reader.ended()
    await expect(reader.answer.locator(".prose")).to_have_text("one two three.")


async def test_deleting_ends_the_paid_call_and_undo_brings_back_what_there_was(reader: Reader, model: Model) -> None:
    steps, _ = gated("one ", "never said")
    model.says(steps, "two.")
    await reader.ask("Count for a while")
    await expect(reader.answer).to_contain_text("one")
    await reader.choose(reader.row("Count for a while"), "Delete")
    await expect(reader.row("Count for a while")).to_have_count(0)
    await asyncio.wait_for((await model.question()).closed.wait(), 5)
    await reader.press("Undo")
    await expect(reader.answer).to_contain_text("You stopped this answer.")
    await expect(reader.answer.locator(".prose")).to_have_text("one")
    await reader.press("Continue", reader.answer)
    await expect(reader.answer.locator(".prose")).to_have_text("one two.")


async def test_a_conversation_begun_before_the_list_has_come_is_in_it(readers: Readers, model: Model) -> None:
    reader = await readers()
    model.title = "Begun early"
    come = asyncio.Event()

    async def late(route: Route) -> None:
        answer = await route.fetch()
        await come.wait()
        await route.fulfill(response=answer)

    await reader.page.route("**/api/conversations", late)
    await reader.page.reload()
    await reader.ask_to_end("Quickly")
    await expect(reader.page).to_have_title("Begun early · daehwa")
    async with reader.page.expect_response("**/api/conversations"):
        come.set()
    await reader.page.wait_for_load_state("networkidle")
    await expect(reader.row("Begun early")).to_be_visible(timeout=5_000)


async def test_a_fast_long_answer_is_whole(reader: Reader, model: Model) -> None:
    said = " ".join(f"word{number}" for number in range(3000))
    model.says(Answer(stream(said)))
    await reader.ask_to_end("Everything, now")
    await expect(reader.answer.locator(".prose")).to_have_text(said)
