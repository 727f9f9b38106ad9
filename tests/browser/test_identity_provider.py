"""The page, the real server and an identity provider: a browser goes the whole way between them, in and out."""

import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from browser.reader import Reader, Watch
from cores import Core
from playwright.async_api import Browser, Locator, expect
from program import ROOT
from server.serving import listening
from sign_in.issuer import CLIENT, SECRET, Issuer

from daehwa.http_client.client import HttpClient
from daehwa.server.app import create_app
from daehwa.server.options import ServerOptions
from daehwa.sign_in.flow import SignIn
from daehwa.sign_in.settings import SignInSettings
from daehwa.stores.memory_accounts import MemoryAccounts

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

PAGE = ROOT / "src" / "daehwa" / "server" / "page"
COOKIE = "daehwa"


def free_port() -> int:
    """Return a port that nobody listens on; the server's address must be known before it listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def read_secret() -> str:
    return SECRET


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

    async def comes_in(self) -> None:
        """Open the page and sign in."""
        await self.page.goto(self.address)
        await self.way_in.click()
        await expect(self.box).to_be_editable()


@pytest_asyncio.fixture(loop_scope="session")
async def issuer() -> AsyncIterator[Issuer]:
    async with Issuer() as made:
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def guest(chromium: Browser, issuer: Issuer) -> AsyncIterator[Guest]:
    core, http, port = Core(), HttpClient(), free_port()
    address = f"http://127.0.0.1:{port}"
    settings: Any = {"issuer": issuer.url, "client_id": CLIENT, "client_secret": read_secret, "public_url": address}
    settings |= {"allowed_emails": ("@example.com",), "admin_emails": ("mina@example.com",)}
    app = create_app(
        store=core.store,
        running=core.running,
        catalogue=core.catalogue,
        options=ServerOptions(version="0.0-test", page=PAGE),
        sign_in=SignIn(SignInSettings(**settings), MemoryAccounts(), http, seconds=20),
    )
    watch = Watch(address)
    watch.expect("status of 401")
    watch.expect(f"request elsewhere: {issuer.url}/")
    context = await chromium.new_context(viewport={"width": 1280, "height": 800}, locale="en-US")
    watch.over(context)
    async with listening(app, port):
        yield Guest(await context.new_page(), address, watch)
        await context.close()
        await core.running.aclose()
    await http.aclose()
    assert watch.unexpected() == []


async def test_in_and_out(guest: Guest) -> None:
    await guest.comes_in()
    await expect(guest.account).to_contain_text("Mina")
    await expect(guest.account).to_contain_text("Admin · mina@example.com")
    await guest.ask_to_end("Hello")
    place = guest.page.url
    cookies = {cookie["name"]: cookie for cookie in await guest.page.context.cookies()}
    assert set(cookies) == {COOKIE}
    assert cookies[COOKIE]["httpOnly"]
    await guest.account.click()
    await guest.page.get_by_role("menuitem", name="Sign out").click()
    await expect(guest.way_in).to_be_visible()
    assert await guest.page.context.cookies() == []
    await guest.page.goto("about:blank")
    await guest.page.goto(place)
    await guest.way_in.click()
    await expect(guest.question).to_contain_text("Hello")
    assert guest.page.url == place


async def test_a_session_that_was_ended_elsewhere(guest: Guest) -> None:
    await guest.comes_in()
    await guest.ask_to_end("First")
    await guest.page.context.clear_cookies()
    await guest.ask("Second")
    dialog = guest.page.get_by_role("dialog", name="You were signed out")
    await dialog.get_by_role("link", name="Sign in").click()
    await expect(guest.questions).to_have_count(2)
    await guest.ended()
    await expect(guest.question).to_contain_text("Second")
    await expect(dialog).to_have_count(0)


async def test_who_may_not_come_in_is_told_why(guest: Guest, issuer: Issuer) -> None:
    issuer.person |= {"sub": "eve", "email": "eve@elsewhere.example"}
    await guest.page.goto(guest.address)
    await guest.way_in.click()
    await expect(guest.page.get_by_role("alert")).to_contain_text("This account may not come in here.")
    assert guest.page.url == f"{guest.address}/chat.html"


async def test_one_person_after_another_in_the_same_browser(guest: Guest, issuer: Issuer) -> None:
    await guest.comes_in()
    await guest.ask_to_end("By Mina")
    await guest.box.fill("Mina's draft")
    await guest.page.context.clear_cookies()
    guest.watch.expect("status of 404")  # the way in leads back to what is not Bob's
    issuer.person |= {"sub": "bob", "email": "bob@example.com", "name": "Bob"}
    await guest.page.reload()
    await guest.page.get_by_role("link", name="Sign in", exact=True).last.click()
    await expect(guest.account).to_contain_text("Bob")
    await expect(guest.box).to_have_value("")
    await expect(guest.page.get_by_text("By Mina")).to_have_count(0)
    await guest.page.goto(guest.address)
    await expect(guest.sidebar).to_contain_text("Your conversations will be listed here.")
