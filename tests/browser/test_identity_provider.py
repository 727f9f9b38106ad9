"""The whole way: a browser, the page, `daehwa serve` and a certified identity provider, in and out again."""

import re
import socket
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from browser.reader import Reader, Watch
from model import Model
from oidc.provider import a_provider
from playwright.async_api import Browser, Locator, expect
from program import serving

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

COOKIE = "daehwa"


def free_port() -> int:
    """Return a port that nobody listens on: server and provider must know each other's address before they listen."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Guest(Reader):
    """A browser that has never been here."""

    @property
    def way_in(self) -> Locator:
        """The button of the sign-in screen."""
        return self.page.get_by_role("main").get_by_role("link", name="Sign in", exact=True)

    @property
    def account(self) -> Locator:
        """What opens the account's menu."""
        return self.sidebar.locator(".account").get_by_role("button")

    async def comes_in(self, name: str) -> None:
        """Follow the way in, and be this person at the provider."""
        await self.page.get_by_role("link", name="Sign in", exact=True).last.click()
        await self.page.get_by_role("link", name=f"Sign in as {name}").click()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def site(tmp_path_factory: pytest.TempPathFactory, played: Model) -> AsyncIterator[tuple[str, str]]:
    """Run both; yield the addresses of the page and of the provider."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    async with a_provider(callback=f"{address}/auth/callback", home=f"{address}/chat.html") as issuer:
        settings = {
            "OPENAI_BASE_URL": played.upstream.base_url,
            "DAEHWA_PUBLIC_URL": address,
            "DAEHWA_SIGN_IN_ISSUER": issuer,
            "DAEHWA_SIGN_IN_CLIENT_ID": "daehwa",
            "DAEHWA_SIGN_IN_ALLOWED_EMAILS": "@example.com",
            "DAEHWA_SIGN_IN_ADMIN_EMAILS": "boss@example.com",
        }
        data = tmp_path_factory.mktemp("home") / "data"
        async with serving(data, settings, "--port", str(port)):
            yield address, issuer


@pytest_asyncio.fixture(loop_scope="session")
async def guest(chromium: Browser, site: tuple[str, str], model: Model) -> AsyncIterator[Guest]:
    """Open the page in a browser that has never been here."""
    model.title = "A title"
    address, issuer = site
    watch = Watch(address)
    watch.expect("status of 401")
    watch.expect(f"request elsewhere: {issuer}/")
    context = await chromium.new_context(viewport={"width": 1280, "height": 800}, locale="en-US")
    watch.over(context)
    await context.route(re.compile("^https://"), lambda route: route.fulfill(status=204))  # its pages ask for fonts
    guest = Guest(await context.new_page(), address, watch)
    await guest.page.goto(address)
    await expect(guest.way_in).to_be_visible()
    yield guest
    await context.close()
    assert watch.unexpected() == []


async def test_in_and_out(guest: Guest) -> None:
    await guest.comes_in("boss")
    await expect(guest.account).to_contain_text("Boss")
    await expect(guest.account).to_contain_text("Admin · boss@example.com")
    await guest.ask_to_end("Hello")
    place = guest.page.url
    cookies = {cookie["name"]: cookie for cookie in await guest.page.context.cookies(guest.address)}
    assert cookies[COOKIE]["httpOnly"]
    guest.watch.expect("request elsewhere: https://fonts")  # the provider's own page does
    guest.watch.expect("status of 404")  # and it has no icon
    await guest.account.click()
    await guest.page.get_by_role("menuitem", name="Sign out").click()
    await guest.page.get_by_role("button", name=re.compile("^Yes")).click()  # the provider asks by itself
    await expect(guest.way_in).to_be_visible()
    assert COOKIE not in {cookie["name"] for cookie in await guest.page.context.cookies(guest.address)}
    await guest.page.goto("about:blank")
    await guest.page.goto(place)
    await guest.comes_in("boss")
    await expect(guest.question).to_contain_text("Hello")
    assert guest.page.url == place


async def test_a_session_that_was_ended_elsewhere(guest: Guest, model: Model) -> None:
    await guest.comes_in("mina")
    await guest.ask_to_end("First")
    await guest.page.context.clear_cookies(name=COOKIE)
    await guest.ask("Second")
    dialog = guest.page.get_by_role("dialog", name="You were signed out")
    await dialog.get_by_role("link", name="Sign in").click()  # the provider still knows her, and asks nothing
    await expect(guest.questions).to_have_count(2)
    await guest.ended()
    await expect(guest.question).to_contain_text("Second")
    await expect(guest.answer).to_contain_text("Hello there.")
    await expect(dialog).to_have_count(0)
    assert len(model.questions) == 2


async def test_who_may_not_come_in_is_told_why(guest: Guest) -> None:
    await guest.comes_in("stranger")
    await expect(guest.page.get_by_role("alert")).to_contain_text("This account may not come in here.")
    assert guest.page.url == f"{guest.address}/chat.html"


async def test_who_may_not_come_in_can_be_somebody_else(guest: Guest) -> None:
    await guest.comes_in("stranger")
    await expect(guest.page.get_by_role("alert")).to_be_visible()
    await expect(guest.way_in).to_have_count(0)  # the provider knows who that was, and would ask nothing
    await guest.page.get_by_role("link", name="Use another account").click()
    await guest.page.get_by_role("link", name="Sign in as mina").click()
    await expect(guest.account).to_contain_text("Mina")
    assert guest.page.url.startswith(f"{guest.address}/chat.html")


async def test_who_turns_back_at_the_provider_is_asked_again(guest: Guest) -> None:
    await guest.way_in.click()
    await guest.page.get_by_role("link", name="Cancel").click()
    await expect(guest.page.get_by_role("alert")).to_contain_text("You cancelled signing in")
    await expect(guest.way_in).to_be_visible()


async def test_one_person_after_another_in_the_same_browser(guest: Guest) -> None:
    await guest.comes_in("mina")
    await guest.ask_to_end("By Mina")
    await guest.box.fill("Mina's draft")
    await guest.page.context.clear_cookies()
    await guest.page.reload()
    guest.watch.expect("status of 404")  # the way in leads back to what is not the next one's
    await guest.comes_in("boss")
    await expect(guest.account).to_contain_text("Boss")
    await expect(guest.box).to_have_value("")
    await expect(guest.page.get_by_text("By Mina")).to_have_count(0)
