"""The page at home on AWS, as far as that can be had here: edge, the real adapter, the deployed package, DynamoDB, and
a certified identity provider. What is shown must be what was shown on one machine.
"""

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio
from aws.home import AwsHome, a_home, package
from browser.reader import Reader, Watch
from lambda_bed.deployed import built_layer
from lambda_bed.edge import Edge
from lambda_bed.environment import Code
from lambda_bed.gateway import ApiGateway
from oidc.provider import a_provider
from playwright.async_api import Browser, Locator, expect
from program import ROOT
from upstream import gated

pytestmark = [pytest.mark.browser, pytest.mark.lambda_adapter, pytest.mark.asyncio(loop_scope="session")]

PAGE = ROOT / "src" / "daehwa" / "server" / "page"
FOLLOWED_SECONDS = 20_000


@dataclass
class Site:
    """The home and its address."""

    home: AwsHome
    address: str
    issuer: str


def free_port() -> int:
    """Return a port that nobody listens on: provider and function are told the address before it is there."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    folder, port = tmp_path_factory.mktemp("on-lambda"), free_port()
    address = f"http://127.0.0.1:{port}"
    code = Code(package(folder), built_layer())
    async with a_provider(callback=f"{address}/auth/callback", home=f"{address}/chat.html") as issuer:
        told = {"DAEHWA_PUBLIC_URL": address, "DAEHWA_SIGN_IN_ISSUER": issuer}
        async with a_home(code, folder, **told) as home, Edge(ApiGateway(home.function), PAGE).listening(port):
            yield Site(home, address, issuer)


@pytest_asyncio.fixture(loop_scope="session")
async def guest(chromium: Browser, site: Site) -> AsyncIterator[Reader]:
    site.home.model.forget()
    watch = Watch(site.address)
    watch.expect("status of 401")
    watch.expect(f"request elsewhere: {site.issuer}/")
    context = await chromium.new_context(viewport={"width": 1280, "height": 800}, locale="en-US")
    # The provider's own pages have no icon and want a font of elsewhere.
    for expected in ("status of 404", "request elsewhere: https://fonts", "net::ERR_FAILED"):
        watch.expect(expected)
    await context.route(lambda url: not url.startswith("http://127.0.0.1:"), lambda route: route.abort())
    watch.over(context)
    yield Reader(await context.new_page(), site.address, watch)
    await context.close()
    assert watch.unexpected() == []


def way_in(guest: Reader) -> Locator:
    return guest.page.get_by_role("main").get_by_role("link", name="Sign in", exact=True)


async def come_in(guest: Reader) -> None:
    await guest.page.goto(guest.address)
    await way_in(guest).click()
    await guest.page.get_by_role("link", name="Sign in as mina").click()
    await expect(guest.box).to_be_editable()


async def test_sign_in_ask_reload_while_it_grows_and_sign_out(guest: Reader, site: Site) -> None:
    await come_in(guest)
    steps, gates = gated("one two ", "three four ", "five six.")
    site.home.model.says(steps)
    await guest.ask("Count")
    await expect(guest.answer).to_contain_text("one two")
    gates[0].set()
    await expect(guest.answer).to_contain_text("three four")
    await guest.page.reload()
    # Another environment follows now: it reads what the first one stores every two seconds.
    await expect(guest.answer).to_contain_text("three four", timeout=FOLLOWED_SECONDS)
    await expect(guest.answer).to_have_attribute("aria-busy", "true")
    gates[1].set()
    await expect(guest.answer.locator(".prose")).to_have_text("one two three four five six.", timeout=FOLLOWED_SECONDS)
    await expect(guest.answer).to_have_attribute("aria-busy", "false")
    await guest.sidebar.locator(".account").get_by_role("button").click()
    await guest.page.get_by_role("menuitem", name="Sign out").click()
    await guest.page.get_by_role("button", name="Yes, sign me out").click()
    await expect(way_in(guest)).to_be_visible()


async def test_stop_ends_the_answer_and_the_call_for_it(guest: Reader, site: Site) -> None:
    await come_in(guest)
    steps, _ = gated("one two ", "three.")
    site.home.model.says(steps)
    await guest.ask("Count")
    asked = await site.home.model.question()
    await expect(guest.answer).to_contain_text("one two")
    await guest.press("Stop the answer")
    await expect(guest.answer).to_have_attribute("aria-busy", "false", timeout=FOLLOWED_SECONDS)
    await asyncio.wait_for(asked.closed.wait(), 10)
    await expect(guest.answer.locator(".prose")).to_have_text("one two")


async def test_leaving_the_page_loses_nothing(guest: Reader, site: Site) -> None:
    await come_in(guest)
    steps, gates = gated("one two ", "three.")
    site.home.model.says(steps)
    await guest.ask("Count")
    await expect(guest.answer).to_contain_text("one two")
    place = guest.page.url
    await guest.page.goto("about:blank")
    gates[0].set()
    async with asyncio.timeout(10):
        await site.home.function.invocations[-1].ended.wait()
    await guest.page.goto(place)
    await expect(guest.answer.locator(".prose")).to_have_text("one two three.")
