"""Signing in, and whose account it is, as a person sees it."""

import asyncio
import json
from typing import Any

import pytest
from browser.accessibility import faults
from browser.porter import ADA, BOB
from browser.reader import PHONE
from browser.visitor import Visits
from model import Model
from playwright.async_api import Route, expect

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_whoever_is_not_signed_in_sees_the_way_in_and_nothing_else(visits: Visits) -> None:
    visitor = await visits()
    await expect(visitor.way_in).to_be_visible()
    await expect(visitor.page).to_have_title("Sign in · daehwa")
    await expect(visitor.page.get_by_role("heading", name="daehwa", level=1)).to_be_visible()
    assert await visitor.page.evaluate("window.seen") == ["sign-in"]
    assert visitor.porter.asked == ["GET /api/me"]
    assert await visitor.page.evaluate("window.shifted") == 0


async def test_signing_in_leads_back_to_where_one_was(visits: Visits, model: Model) -> None:
    visitor = await visits(ADA)
    model.title = "Where I was"
    await visitor.reader.ask_to_end("Remember this place")
    place = "/chat.html#" + visitor.page.url.partition("#")[2]
    visitor.porter.person = None
    other = await visits()
    await other.goes_to(place)
    await expect(other.way_in).to_be_visible()
    await other.page.keyboard.press("Tab")
    await expect(other.way_in).to_be_focused()
    await other.page.keyboard.press("Enter")
    await expect(other.reader.question).to_contain_text("Remember this place")
    assert other.page.url.endswith(place)
    assert await other.page.evaluate("window.seen") == ["page"]


async def test_no_view_flashes_before_the_other(visits: Visits) -> None:
    visitor = await visits(ADA)
    await expect(visitor.reader.box).to_be_editable()
    assert await visitor.page.evaluate("window.seen") == ["page"]
    await visitor.goes_to()
    await expect(visitor.account).to_be_visible()
    assert await visitor.page.evaluate("window.seen") == ["page"]
    visitor.porter.person = None
    await visitor.goes_to()
    await expect(visitor.way_in).to_be_visible()
    assert await visitor.page.evaluate("window.seen") == ["sign-in"]


async def test_a_slow_server_keeps_nobody_from_their_page_for_long(visits: Visits) -> None:
    visitor = await visits(ADA)
    await expect(visitor.account).to_be_visible()
    gate = asyncio.Event()

    async def late(route: Route) -> None:
        await gate.wait()
        await route.fallback()

    await visitor.page.route("**/api/*", late)
    await visitor.goes_to()
    await expect(visitor.reader.box).to_be_editable()
    visitor.porter.person = None
    gate.set()
    await expect(visitor.dialog).to_be_visible()
    assert await visitor.page.evaluate("window.seen[0]") == "page"
    assert await visitor.page.evaluate("window.shifted") < 0.05  # the line that one is signed out


@pytest.mark.parametrize(
    ("error", "locale", "sentence"),
    [
        ("sign_in_failed", "en-US", "Signing in did not work. Please try again."),
        ("not_allowed", "en-US", "This account may not come in here."),
        ("store_unavailable", "en-US", "The sign-in could not be stored."),
        ("sign_in_cancelled", "en-US", "You cancelled signing in"),
        ("sign_in_cancelled", "ko-KR", "로그인을 취소했거나"),
        ("email_not_verified", "en-US", "Verify it at the sign-in service"),
        ("email_not_verified", "ko-KR", "아직 인증되지 않았어요"),
        ("never_heard_of", "en-US", "Something went wrong while signing in."),
        ("not_allowed", "ko-KR", "이 계정으로는 들어올 수 없어요."),
    ],
)
async def test_why_signing_in_failed_is_told_once(visits: Visits, error: str, locale: str, sentence: str) -> None:
    visitor = await visits(locale=locale)
    await visitor.goes_to(f"/chat.html?sign_in_error={error}#/")
    await expect(visitor.page.get_by_role("alert")).to_contain_text(sentence)
    assert visitor.page.url.endswith("/chat.html#/")
    await visitor.page.reload()
    await expect(visitor.page.locator("main h1")).to_be_visible()
    await expect(visitor.page.get_by_role("alert")).to_have_count(0)


@pytest.mark.parametrize(
    ("error", "locale", "ways"),
    [
        ("not_allowed", "en-US", ["Use another account"]),
        ("email_not_verified", "en-US", ["Sign in", "Use another account"]),
        ("not_allowed", "ko-KR", ["다른 계정으로 로그인"]),
        ("sign_in_failed", "en-US", ["Sign in"]),
    ],
)
async def test_another_account_is_offered_to_one_that_may_not_come_in(
    visits: Visits, error: str, locale: str, ways: list[str]
) -> None:
    visitor = await visits(locale=locale)
    await visitor.goes_to(f"/chat.html?sign_in_error={error}#/")
    await expect(visitor.page.get_by_role("main").get_by_role("link")).to_have_text(ways)
    assert await visitor.page.evaluate("document.body.scrollWidth <= innerWidth")


async def test_the_account_is_at_the_foot_of_the_sidebar(visits: Visits) -> None:
    visitor = await visits(ADA)
    await expect(visitor.account).to_contain_text("Ada")
    assert await visitor.page.evaluate("window.shifted") < 0.01
    await visitor.account.focus()
    await expect(visitor.account).to_contain_text("Admin · ada@example.com")
    await visitor.page.keyboard.press("Enter")
    await expect(visitor.page.get_by_role("menuitem", name="Usage and costs")).to_be_focused()
    await visitor.page.keyboard.press("End")
    await expect(visitor.page.get_by_role("menuitem", name="Sign out")).to_be_focused()
    await visitor.page.keyboard.press("Escape")
    await expect(visitor.account).to_be_focused()
    plain = await visits(BOB)
    await expect(plain.account).to_have_accessible_name("Account bob@example.com")
    await expect(plain.account).not_to_contain_text("Admin")
    for account in (visitor.account, plain.account):
        room = "face => face.querySelector('svg').getBoundingClientRect().left"
        end = "face => face.querySelector('.person').getBoundingClientRect().right"
        assert await account.evaluate(room) - await account.evaluate(end) < 16, "the name has all the room there is"
        assert await account.evaluate(
            "face => [...face.querySelectorAll('.person > .name, .person > .detail')]"
            ".every(line => line.scrollWidth <= line.clientWidth)"
        ), "and is not cut"


async def test_an_admin_may_see_and_revoke_everybodys_keys(visits: Visits) -> None:
    key: dict[str, Any] = {
        **dict.fromkeys(("day", "month", "total", "requests_per_minute", "tokens_per_minute", "expires")),
        "id": "01990000-0000-7000-8000-0000000000e1",
        "user": BOB["id"],
        "name": "Bob’s script",
        "models": [],
        "prefix": "dh_AbCd1234",
        "created": 1_795_000_000_000,
        "last_used": None,
        "revoked": None,
        "spent": {"day": 0, "month": 40_000, "total": None},
    }
    revoked: list[str] = []

    async def answer(route: Route) -> None:
        if route.request.method == "DELETE":
            revoked.append(route.request.url)
            await route.fulfill(json={**key, "revoked": 1_796_000_000_000})
        elif "everybody=true" in route.request.url:
            await route.fulfill(json={"keys": [key], "users": {BOB["id"]: BOB["name"]}})
        else:
            await route.fulfill(json={"keys": [], "users": {}})

    bob = await visits(BOB)
    await bob.page.goto(f"{bob.reader.address}/chat.html#/keys")
    await expect(bob.page.get_by_role("heading", name="API keys")).to_be_visible()
    await expect(bob.page.get_by_role("checkbox", name="Everybody’s keys")).to_have_count(0)
    admin = await visits(ADA)
    await admin.page.route("**/api/keys**", answer)
    await admin.page.goto(f"{admin.reader.address}/chat.html#/keys")
    await admin.page.get_by_role("checkbox", name="Everybody’s keys").check()
    entry = admin.page.get_by_role("listitem").filter(has=admin.page.get_by_role("heading", name="Bob’s script"))
    await expect(entry).to_contain_text(f"of {BOB['name']}")
    await entry.get_by_role("button", name="Revoke").click()
    await admin.page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    await expect(admin.page.get_by_text("1 key that is no longer valid")).to_be_visible()
    assert [url.rpartition("/")[2] for url in revoked] == [key["id"]]


async def test_an_admin_may_look_at_what_everybody_used(visits: Visits) -> None:
    plain = await visits(BOB)
    await plain.reader.ask_to_end("Count this")
    await plain.account.click()
    await plain.page.get_by_role("menuitem", name="Usage and costs").click()
    await expect(plain.page.get_by_role("table", name="Model: sums of the period")).to_be_visible()
    await expect(plain.page.get_by_role("checkbox")).to_have_count(0)
    await expect(plain.page.get_by_role("radio", name="Person")).to_have_count(0)
    admin = await visits(ADA)
    await admin.page.goto(f"{admin.reader.address}/chat.html#/usage")
    await admin.page.get_by_role("checkbox", name="Everybody’s").check()
    await admin.page.get_by_role("radio", name="Person").check(force=True)
    table = admin.page.get_by_role("table", name="Person: sums of the period")
    # The server behind the porter lets nobody sign in: to it, everybody is its owner.
    await expect(table.get_by_role("row", name="owner")).to_be_visible()


async def test_the_greeting_says_that_a_key_is_missing_until_there_is_one(visits: Visits) -> None:
    visitor = await visits(ADA)
    visitor.porter.home = "aws"
    missing = {"type": "key_not_set", "message": "Set it with daehwa deploy set-key."}
    listing = {"models": [], "default": None, "problems": [{"provider": "openai", **missing}]}
    is_set = False

    async def models(route: Route) -> None:
        await (route.fallback() if is_set else route.fulfill(json=listing))

    async def turns(route: Route) -> None:
        await (route.fallback() if is_set else route.fulfill(status=503, json={"error": missing}))

    await visitor.page.route("**/api/models", models)
    await visitor.page.route("**/api/turns", turns)
    visitor.reader.watch.expect("status of 503")
    await visitor.goes_to()
    notice = visitor.page.get_by_test_id("model-notice")
    await expect(notice).to_contain_text("An admin must set it, in a terminal: daehwa deploy set-key.")
    await expect(notice.get_by_role("button")).to_have_count(0)
    await visitor.reader.ask("Too early")
    await expect(visitor.reader.answer).to_contain_text("There is no key for the models yet.")
    is_set = True
    await expect(notice).to_have_count(0)
    await visitor.reader.press("Try again", visitor.reader.answer)
    await expect(visitor.reader.answer).to_contain_text("Hello there.")


async def test_an_answer_that_met_the_time_limit_goes_on_by_a_button(visits: Visits, model: Model) -> None:
    visitor = await visits(ADA)
    model.says("The first half", " and the second.")
    await visitor.reader.ask_to_end("Something very long")

    async def cut(route: Route) -> None:
        opened = await (await route.fetch()).json()
        opened["messages"][1] |= {"status": "interrupted", "finish": None}
        opened["messages"][1]["error"] = {"type": "time_is_up", "message": "The answer was cut off."}
        await route.fulfill(json=opened)

    await visitor.page.route("**/api/conversations/*", cut)
    await visitor.page.reload()
    await expect(visitor.reader.answer).to_contain_text("It took as long as one answer may take here.")
    await expect(visitor.reader.answer.get_by_role("button", name="Continue")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("device", ["wide", "phone"])
async def test_it_is_accessible(visits: Visits, axe: str, scheme: str, device: str) -> None:
    options: dict[str, Any] = PHONE if device == "phone" else {}
    visitor = await visits(color_scheme=scheme, **options)
    await expect(visitor.way_in).to_be_visible()
    seen = {"sign-in": await faults(visitor.reader, axe)}
    await visitor.goes_to("/?sign_in_error=not_allowed")
    await expect(visitor.page.get_by_role("alert")).to_be_visible()
    seen["refused"] = await faults(visitor.reader, axe)
    await visitor.page.get_by_role("link", name="Use another account").click()
    await expect(visitor.reader.box).to_be_editable()
    if device == "phone":
        await visitor.reader.press("Show conversations")
    await visitor.account.click()
    seen["account"] = await faults(visitor.reader, axe)
    await visitor.page.keyboard.press("Escape")
    if device == "phone":
        await visitor.reader.press("Hide conversations")
    visitor.porter.person = None
    await visitor.reader.ask("Too late")
    await expect(visitor.dialog).to_be_visible()
    seen["signed out"] = await faults(visitor.reader, axe)
    await visitor.page.keyboard.press("Escape")
    seen["banner"] = await faults(visitor.reader, axe)
    assert seen == {state: [] for state in seen}, json.dumps(seen, indent=1)
