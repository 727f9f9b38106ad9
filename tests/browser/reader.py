"""The person in front of the page: what they do, and what they can see."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from playwright.async_api import BrowserContext, ConsoleMessage, Locator, Page, Request, Route, WebError, expect

PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "has_touch": True,
    "is_mobile": True,
    "device_scale_factor": 3,
}


@dataclass
class Watch:
    """What goes wrong unseen: errors, refusals by the content security policy, requests to elsewhere."""

    origin: str
    faults: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def over(self, context: BrowserContext) -> None:
        """Watch all pages of a context."""
        context.on("console", self._console)
        context.on("weberror", self._error)
        context.on("request", self._request)

    def expect(self, pattern: str) -> None:
        """Say what a test brings about on purpose."""
        self.expected.append(pattern)

    def unexpected(self) -> list[str]:
        """Return the faults that no test asked for."""
        return [fault for fault in self.faults if not any(re.search(pattern, fault) for pattern in self.expected)]

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.faults.append(f"console: {message.text}")

    def _error(self, error: WebError) -> None:
        self.faults.append(f"error: {error.error}")

    def _request(self, request: Request) -> None:
        if not request.url.startswith((self.origin, "data:", "blob:")):
            self.faults.append(f"request elsewhere: {request.url}")


async def comes_true(page: Page, expression: str, argument: Any = None) -> None:
    """Wait until an expression, or a function of the argument, is true in the page.

    Asked from here each time: Playwright's own `wait_for_function` evaluates an expression within the page from the
    second time on, which the page's policy forbids, so it fails only where it has to wait.
    """
    async with asyncio.timeout(20):
        while not await page.evaluate(expression, argument):  # noqa: ASYNC110 - another program's event
            await asyncio.sleep(0.02)


async def all_closed(page: Page) -> None:
    """Wait until what was open over the page is gone from the history too: the browser goes back over it."""
    await comes_true(page, "!history.state?.overlays")


class Reader:
    """One tab, by the names that a person or a screen reader finds things by. English unless a test says otherwise."""

    def __init__(self, page: Page, address: str, watch: Watch) -> None:
        self.page = page
        self.address = address
        self.watch = watch
        self.box = page.get_by_role("textbox", name="Message", exact=True)
        self.questions = page.get_by_role("article", name="You asked", exact=True)
        self.answers = page.get_by_role("article", name="Answer", exact=True)
        self.question = self.questions.last
        self.answer = self.answers.last
        self.sidebar = page.get_by_role("navigation", name="Conversations")
        self.rows = self.sidebar.get_by_role("listitem")
        self.search = page.get_by_role("searchbox", name="Search conversations")
        self.hits = page.get_by_test_id("search-hits").get_by_role("listitem")
        self.banner = page.locator("main .banner")
        self.scroller = page.locator("main .scroller")

    async def open(self, path: str = "/") -> None:
        """Open the page and wait until it can be written on."""
        await self.page.goto(self.address + path)
        await expect(self.page.locator("#message")).to_be_editable()

    async def hold_back(self, addresses: str) -> asyncio.Event:
        """Let requests to these addresses wait until the event is set."""
        come = asyncio.Event()

        async def late(route: Route) -> None:
            await come.wait()
            await route.continue_()

        await self.page.route(addresses, late)
        return come

    async def tab(self) -> "Reader":
        """Open another tab of the same browser on the same address."""
        other = Reader(await self.page.context.new_page(), self.address, self.watch)
        await other.page.goto(self.page.url)
        await expect(other.box).to_be_editable()
        return other

    async def ask(self, question: str) -> None:
        """Write a question and send it: by Enter, and where there are fingers alone by the button."""
        await self.box.fill(question)
        if await self.page.evaluate("matchMedia('(pointer: coarse)').matches"):
            await self.page.get_by_role("button", name="Send", exact=True).tap()
        else:
            await self.box.press("Enter")

    async def ask_to_end(self, question: str) -> None:
        """Ask, and wait for the end of the answer."""
        asked = await self.questions.count()
        await self.ask(question)
        await expect(self.questions).to_have_count(asked + 1)
        await self.ended()

    async def ended(self) -> None:
        """Wait until the last answer grows no more."""
        await expect(self.answer).to_have_attribute("aria-busy", "false")

    async def press(self, name: str, within: Locator | None = None) -> None:
        """Press the button of this name, hovering first as a hand does."""
        place = within if within is not None else self.page.locator("body")
        if within is not None:
            await within.hover()
        await place.get_by_role("button", name=name, exact=True).click()

    async def choose(self, row: Locator, item: str) -> None:
        """Choose an item of a conversation's menu."""
        await row.hover()
        await row.get_by_role("button", name=re.compile("^Options")).click()
        await self.page.get_by_role("menuitem", name=item, exact=True).click()

    def row(self, title: str) -> Locator:
        """Return the conversation of this title in the sidebar."""
        return self.rows.filter(has=self.page.get_by_role("link", name=title, exact=True))


async def leave(context: BrowserContext) -> None:
    """Close a browser in whose requests a test may have a hand: an answer that it plays with now goes with the page."""
    for page in context.pages:
        await page.unroute_all(behavior="ignoreErrors")
    await context.unroute_all(behavior="ignoreErrors")
    await context.close()


Readers: TypeAlias = Callable[..., Awaitable[Reader]]
"""Opens the page as one more person, with a browser's options of their own."""
