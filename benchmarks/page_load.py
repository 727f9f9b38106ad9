"""Opens a page for the first time: requests, compressed weight, and how long until its box can be written in.

A fresh profile each time. The time is the page's own, from the navigation's start to the second frame after the box is
there; with the processor as it is or slowed down by the browser. `pages.py` visits daehwa's page and its peers'.
"""

import asyncio
import contextlib
import json
from typing import Any, NamedTuple

from playwright.async_api import Browser
from playwright.async_api import Error as PlaywrightError

SLOWED = 4
QUIET_SECONDS = 0.5
QUIET_TIMEOUT_MS = 5_000
TIMEOUT_MS = 60_000
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")
USABLE = """
window.usable = new Promise((resolve) => {
    const look = () => {
        const box = document.querySelector(BOX);
        if (!box || box.disabled) return;
        watch.disconnect();
        requestAnimationFrame(() => requestAnimationFrame(() => resolve(performance.now())));
    };
    const watch = new MutationObserver(look);
    watch.observe(document, { childList: true, subtree: true });
});
"""


class Visit(NamedTuple):
    """One first visit."""

    requests: int
    kilobytes: float
    usable_ms: float


async def visit(browser: Browser, address: str, box: str, slowed: int) -> Visit:
    """Visit with an empty cache until the box, a selector, can be written in; count what comes until all is quiet."""
    context = await browser.new_context(viewport={"width": 1280, "height": 800})
    page = await context.new_page()
    session = await context.new_cdp_session(page)
    await session.send("Network.enable")
    await session.send("Emulation.setCPUThrottlingRate", {"rate": slowed})
    asked: set[str] = set()
    sizes: dict[str, float] = {}

    def sent(event: Any) -> None:
        if event["request"]["url"].startswith("http"):
            asked.add(event["requestId"])

    session.on("Network.requestWillBeSent", sent)
    session.on("Network.loadingFinished", lambda event: sizes.update({event["requestId"]: event["encodedDataLength"]}))
    await page.add_init_script(USABLE.replace("BOX", json.dumps(box)))
    await page.goto(address, timeout=TIMEOUT_MS, wait_until="domcontentloaded")  # fonts from elsewhere may never come
    usable = await page.evaluate("window.usable")
    with contextlib.suppress(PlaywrightError):  # a page that keeps asking is never quiet
        await page.wait_for_load_state("networkidle", timeout=QUIET_TIMEOUT_MS)
    await asyncio.sleep(QUIET_SECONDS)
    await context.close()
    return Visit(len(asked), sum(sizes.get(identity, 0) for identity in asked) / 1024, usable)
