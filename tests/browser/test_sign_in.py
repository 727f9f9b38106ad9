"""Signing in, being signed out, and signing out, as a person sees it; nothing of one is ever shown to another."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import pytest
import pytest_asyncio
from browser.accessibility import faults
from browser.porter import ADA, BOB, Porter
from browser.reader import PHONE, Reader, Watch, leave
from model import Model
from playwright.async_api import Browser, Locator, Page, Route, expect
from program import Program
from upstream import ROLE, text

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

WATCH_VIEWS = """() => {
    window.seen = [];
    const note = (name) => window.seen.includes(name) || window.seen.push(name);
    new MutationObserver(() => {
        if (document.querySelector("#message, nav")) note("page");
        if (document.querySelector('a[href^="/auth/sign-in"]')) note("sign-in");
    }).observe(document, { subtree: true, childList: true });
}"""
COUNT_DIALOGS = """() => {
    window.opened = 0;
    const show = HTMLDialogElement.prototype.showModal;
    HTMLDialogElement.prototype.showModal = function () {
        window.opened += 1;
        return show.call(this);
    };
}"""
SHIFTS = """() => {
    window.shifted = 0;
    const add = (list) => list.getEntries().forEach((entry) => (window.shifted += entry.value));
    new PerformanceObserver(add).observe({ type: "layout-shift", buffered: true });
}"""
KEPT = """(person) => Object.keys(localStorage).filter((name) => name.includes(person)).length"""


@dataclass
class Visitor:
    """A person in front of the page, and the porter who lets them in."""

    reader: Reader
    porter: Porter

    def __post_init__(self) -> None:
        page = self.page
        self.way_in: Locator = page.get_by_role("main").get_by_role("link", name="Sign in", exact=True)
        self.dialog = page.get_by_role("dialog", name="You were signed out")
        self.account = page.get_by_role("button", name=re.compile("^Account "))
        self.toasts = page.locator(".toast")

    @property
    def page(self) -> Page:
        """The tab."""
        return self.reader.page

    async def goes_to(self, path: str = "/") -> None:
        """Open an address anew."""
        await self.page.goto("about:blank")
        await self.page.goto(self.reader.address + path)

    async def tab(self) -> "Visitor":
        """Open another tab of the same browser."""
        page = await self.page.context.new_page()
        other = Visitor(Reader(page, self.reader.address, self.reader.watch), self.porter)
        await other.goes_to()
        return other


Visits: TypeAlias = Callable[..., Awaitable[Visitor]]


@pytest_asyncio.fixture(loop_scope="session")
async def visits(chromium: Browser, program: Program) -> AsyncIterator[Visits]:
    """Open a browser of one's own, signed in or not; at the end nothing unexpected must have gone wrong in it."""
    contexts = []
    watch = Watch(program.address)
    watch.expect("status of 401")

    async def visit(person: dict[str, str] | None = None, **options: Any) -> Visitor:
        wide = {"viewport": {"width": 1280, "height": 800}, "locale": "en-US"}
        context = await chromium.new_context(**{**wide, **options})
        contexts.append(context)
        watch.over(context)
        porter = Porter(person)
        await porter.stand_before(context)
        visitor = Visitor(Reader(await context.new_page(), program.address, watch), porter)
        await visitor.page.add_init_script(f"({WATCH_VIEWS})(); ({SHIFTS})(); ({COUNT_DIALOGS})()")
        await visitor.goes_to()
        return visitor

    yield visit
    for context in contexts:
        await leave(context)
    assert watch.unexpected() == []


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


async def test_what_needs_a_session_asks_for_one(visits: Visits) -> None:
    visitor = await visits(ADA)
    await visitor.reader.ask_to_end("Something to pin")
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
