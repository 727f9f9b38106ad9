"""A person in front of the page of a site with an identity provider, and the porter who lets them in."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from browser.porter import Porter
from browser.reader import Reader
from playwright.async_api import Locator, Page

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

    async def quiet(self) -> None:
        """Wait until the page has asked nothing for half a second: after an answer it asks what that has changed."""
        asked = -1
        while asked != len(self.porter.asked):
            asked = len(self.porter.asked)
            await asyncio.sleep(0.5)

    async def tab(self) -> "Visitor":
        """Open another tab of the same browser."""
        page = await self.page.context.new_page()
        other = Visitor(Reader(page, self.reader.address, self.reader.watch), self.porter)
        await other.goes_to()
        return other


Visits: TypeAlias = Callable[..., Awaitable[Visitor]]
