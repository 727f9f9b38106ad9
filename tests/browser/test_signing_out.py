"""Signing out and being signed out, as a person sees it; nothing of one is ever shown to another."""

import asyncio
import json

import pytest
from browser.porter import ADA, BOB
from browser.reader import PHONE
from browser.visitor import Visits
from model import Model
from playwright.async_api import Route, expect
from upstream import ROLE, text

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

KEPT = """(person) => Object.keys(localStorage).filter((name) => name.includes(person)).length"""


async def test_signing_out_leaves_nothing_behind_in_any_tab(visits: Visits) -> None:
    visitor = await visits(ADA)
    await visitor.reader.box.fill("Half a thought")
    other = await visitor.tab()
    await expect(other.account).to_be_visible()
    await visitor.reader.box.blur()
    assert await visitor.page.evaluate(KEPT, ADA["id"]) > 0
    await other.reader.box.fill("Another thought")
    await visitor.account.click()
    await visitor.page.get_by_role("menuitem", name="Sign out").click()
    for tab in (visitor, other):
        await expect(tab.way_in).to_be_visible()
        assert await tab.page.evaluate(KEPT, ADA["id"]) == 0
        assert "#/c/" not in tab.page.url
    visitor.porter.comes = BOB
    await visitor.way_in.click()
    await expect(visitor.account).to_contain_text("bob@example.com")
    await expect(other.account).to_contain_text("bob@example.com")
    await expect(visitor.reader.box).to_have_value("")
    await expect(other.reader.box).to_have_value("")


async def test_signing_out_ends_the_session_of_the_provider_too(visits: Visits) -> None:
    visitor = await visits(ADA)
    visitor.porter.logout = f"{visitor.reader.address}/healthz?logout"
    await visitor.account.click()
    await visitor.page.get_by_role("menuitem", name="Sign out").click()
    await visitor.page.wait_for_url("**/healthz?logout")
    await visitor.page.go_back()
    await expect(visitor.way_in).to_be_visible()


async def test_signing_out_on_a_phone_leaves_no_address_behind(visits: Visits) -> None:
    visitor = await visits(ADA, **PHONE)
    await visitor.reader.ask_to_end("Something private")
    assert "#/c/" in visitor.page.url
    await visitor.reader.press("Show conversations")
    await visitor.account.click()
    await visitor.page.get_by_role("menuitem", name="Sign out").click()
    await expect(visitor.way_in).to_be_visible()
    assert "#/c/" not in visitor.page.url
    await visitor.page.go_back()
    assert "#/c/" not in visitor.page.url


async def test_signing_out_that_fails_says_so(visits: Visits) -> None:
    visitor = await visits(ADA)
    refusal = {"error": {"type": "store_unavailable", "message": "Busy."}}
    await visitor.page.route("**/auth/sign-out", lambda route: route.fulfill(status=503, json=refusal))
    visitor.reader.watch.expect("status of 503")
    await visitor.account.click()
    await visitor.page.get_by_role("menuitem", name="Sign out").click()
    await expect(visitor.toasts).to_contain_text("could not be stored")
    await expect(visitor.account).to_be_visible()


async def test_a_session_that_ends_keeps_what_was_asked_and_asks_no_more(visits: Visits, model: Model) -> None:
    visitor = await visits(ADA)
    await visitor.reader.ask_to_end("A first question")
    await visitor.quiet()
    visitor.porter.person = None
    await visitor.reader.ask("Asked too late")
    await expect(visitor.dialog).to_be_visible()
    await expect(visitor.dialog.get_by_role("link", name="Sign in")).to_be_focused()
    refused = visitor.porter.refused
    await visitor.page.keyboard.press("Escape")
    await expect(visitor.reader.banner).to_contain_text("You are signed out.")
    await expect(visitor.reader.answer).to_contain_text("once you are signed in again")
    await visitor.reader.search.fill("first")
    await visitor.page.evaluate("dispatchEvent(new Event('focus'))")
    await asyncio.sleep(1.5)
    assert visitor.porter.refused == refused
    await expect(visitor.toasts).to_have_count(0)
    await visitor.reader.search.fill("")
    await visitor.reader.box.fill("And a draft")
    await visitor.reader.banner.get_by_role("link", name="Sign in").click()
    await expect(visitor.reader.questions).to_have_count(2)
    await expect(visitor.reader.answer).to_contain_text("Hello there.")
    await expect(visitor.reader.box).to_have_value("And a draft")
    assert [json.loads(asked.body)["messages"][-1]["content"] for asked in model.questions] == [
        "A first question",
        "Asked too late",
    ]


ENTER_AT_ONCE_AND_LATER = """async () => {
    dispatchEvent(new Event("focus"));
    while (!document.querySelector("dialog[open] a:focus")) await new Promise(requestAnimationFrame);
    const press = () => {
        const enter = new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true });
        return document.activeElement.dispatchEvent(enter);
    };
    const atOnce = press();
    await new Promise((later) => setTimeout(later, 600));
    return [atOnce, press()];
}"""


async def test_an_enter_that_was_meant_for_the_question_leads_nobody_away(visits: Visits) -> None:
    visitor = await visits(ADA)
    await visitor.reader.box.fill("Half a question")
    await visitor.quiet()
    visitor.porter.person = None
    assert await visitor.page.evaluate(ENTER_AT_ONCE_AND_LATER) == [False, True]
    await visitor.page.keyboard.press("Enter")
    await expect(visitor.account).to_be_visible()
    await expect(visitor.reader.box).to_have_value("Half a question")
    assert visitor.porter.person == ADA


async def test_what_needs_a_session_asks_for_one(visits: Visits) -> None:
    visitor = await visits(ADA)
    await visitor.reader.ask_to_end("Something to pin")
    await visitor.quiet()
    visitor.porter.person = None
    doors, pinned = asyncio.Event(), asyncio.Event()
    waits = [pinned]

    async def late(route: Route) -> None:
        if waits:
            await waits.pop().wait()
        await route.fallback()

    async def unknown(route: Route) -> None:
        await doors.wait()
        await route.fallback()

    await visitor.page.route("**/api/conversations/*", late)
    await visitor.page.route("**/auth/doors", unknown)
    # The first request is refused after the second one, and how one signs in is known late: one dialog all the same.
    await visitor.reader.choose(visitor.reader.rows.first, "Pin")
    await visitor.reader.choose(visitor.reader.rows.first, "Unpin")
    await expect(visitor.reader.banner).to_contain_text("You are signed out.")
    await visitor.page.keyboard.press("Escape")
    doors.set()
    await expect(visitor.dialog).to_be_visible()
    await visitor.page.keyboard.press("Escape")
    await expect(visitor.dialog).to_have_count(0)
    async with visitor.page.expect_event("requestfinished"):
        pinned.set()
    assert await visitor.page.evaluate("new Promise(done => setTimeout(() => done(window.opened), 50))") == 1
    # Only what somebody does asks again.
    await visitor.reader.choose(visitor.reader.rows.first, "Pin")
    await expect(visitor.dialog).to_be_visible()
    await expect(visitor.toasts).to_have_count(0)


async def test_what_asks_to_sign_in_is_fetched_again_where_it_did_not_come(visits: Visits) -> None:
    visitor = await visits(ADA)
    await visitor.reader.ask_to_end("Something to pin")
    await visitor.quiet()
    visitor.reader.watch.expect("net::ERR_FAILED")
    await visitor.page.route("**/assets/SignedOut*", lambda route: route.abort())
    visitor.porter.person = None
    await visitor.reader.choose(visitor.reader.rows.first, "Pin")
    await expect(visitor.toasts).to_contain_text("could not be loaded")
    await visitor.page.unroute("**/assets/SignedOut*")
    await visitor.reader.choose(visitor.reader.rows.first, "Pin")
    await expect(visitor.dialog).to_be_visible()


async def test_signing_in_in_another_tab_is_enough(visits: Visits, model: Model) -> None:
    visitor = await visits(ADA)
    model.says([ROLE, text("It goes "), 1.0, text("on.")])
    await visitor.reader.ask("Something long")
    await expect(visitor.reader.answer).to_contain_text("It goes")
    visitor.porter.person = None
    await visitor.page.get_by_role("button", name="Stop the answer").click()
    await expect(visitor.dialog).to_be_visible()
    other = await visitor.tab()
    await expect(other.way_in.or_(other.dialog).first).to_be_visible()
    await visitor.page.evaluate("window.stayed = true")
    await other.page.get_by_role("link", name="Sign in", exact=True).last.click()
    await expect(visitor.dialog).to_have_count(0)
    await expect(visitor.reader.banner).to_be_empty()
    await expect(visitor.reader.answer).to_contain_text("It goes on.")
    assert await visitor.page.evaluate("window.stayed")


async def test_another_person_sees_and_sends_nothing_of_the_first_one(visits: Visits, model: Model) -> None:
    visitor = await visits(ADA)
    await visitor.reader.ask_to_end("Mine")
    await visitor.quiet()
    visitor.porter.person = None
    await visitor.reader.ask("A secret of mine")
    await expect(visitor.dialog).to_be_visible()
    await visitor.page.keyboard.press("Escape")
    await visitor.reader.box.fill("A secret draft")
    other = await visitor.tab()
    visitor.porter.comes = BOB
    await other.page.get_by_role("link", name="Sign in", exact=True).last.click()
    for tab in (other, visitor):
        await expect(tab.account).to_contain_text("bob@example.com")
        await expect(tab.reader.box).to_have_value("")
        await expect(tab.page.get_by_text("A secret of mine")).to_have_count(0)
    assert len(model.questions) == 1
    await visitor.account.click()
    await visitor.page.get_by_role("menuitem", name="Sign out").click()
    visitor.porter.comes = ADA
    await visitor.way_in.click()
    await expect(visitor.account).to_contain_text("Ada")
    sent = await model.question()
    assert b"Mine" in sent.body
    assert b"A secret of mine" in (await model.question()).body
