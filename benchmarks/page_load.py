"""What a first visit costs: requests, compressed weight, and how long until the box can be written in.

    uv run --group dev python benchmarks/page_load.py [--runs 5]

A fresh browser profile each time, the real server on this machine with an upstream set. The time is the page's own,
from the navigation's start to the second frame after the box is there; with the processor as it is and slowed down
four times by the browser. Each figure is the median. The page is measured as it was built last.
"""

import argparse
import asyncio
import shutil
import statistics
from typing import Any, NamedTuple

from playwright.async_api import Browser, async_playwright
from programs import daehwa, mock_upstream

SLOWED = 4
QUIET_SECONDS = 0.5
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")
USABLE = """
window.usable = new Promise((resolve) => {
    const look = () => {
        const box = document.querySelector("#message");
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
    asked: list[tuple[str, float]]


class Row(NamedTuple):
    """One line of the table."""

    name: str
    target: float
    measured: float
    unit: str


async def visit(browser: Browser, address: str, slowed: int) -> Visit:
    """Visit with an empty cache, count what comes until the network is quiet."""
    context = await browser.new_context(viewport={"width": 1280, "height": 800})
    page = await context.new_page()
    session = await context.new_cdp_session(page)
    await session.send("Network.enable")
    await session.send("Emulation.setCPUThrottlingRate", {"rate": slowed})
    names: dict[str, str] = {}
    sizes: dict[str, float] = {}

    def sent(event: Any) -> None:
        if event["request"]["url"].startswith("http"):
            names[event["requestId"]] = event["request"]["url"].removeprefix(address)

    session.on("Network.requestWillBeSent", sent)
    session.on("Network.loadingFinished", lambda event: sizes.update({event["requestId"]: event["encodedDataLength"]}))
    await page.add_init_script(USABLE)
    await page.goto(address)
    usable = await page.evaluate("window.usable")
    await page.wait_for_load_state("networkidle")
    await asyncio.sleep(QUIET_SECONDS)
    await context.close()
    asked = [(name, sizes.get(identity, 0) / 1024) for identity, name in names.items()]
    return Visit(len(asked), sum(size for _, size in asked), usable, asked)


async def measure(address: str, chromium: str | None, runs: int) -> tuple[list[Visit], list[Visit]]:
    """Return visits at full speed and slowed down, in turns, after one that counts for nothing."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        await visit(browser, address, 1)
        full, slow = [], []
        for _ in range(runs):
            full.append(await visit(browser, address, 1))
            slow.append(await visit(browser, address, SLOWED))
        await browser.close()
    return full, slow


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--runs", type=int, default=5)
    arguments.add_argument("--chromium", default=shutil.which("chromium"), help="a browser other than Playwright's own")
    options = arguments.parse_args()
    with mock_upstream(tokens=5, pace_ms=1) as upstream, daehwa(upstream) as server:
        full, slow = asyncio.run(measure(f"http://127.0.0.1:{server.port}", options.chromium, options.runs))
    for name, kilobytes in full[0].asked:
        print(f"  {kilobytes:7.1f} KB  {name}")
    usable = [each.usable_ms for each in full]
    usable_slow = [each.usable_ms for each in slow]
    rows = [
        Row("requests", 6, statistics.median(each.requests for each in full), ""),
        Row("compressed weight", 80, statistics.median(each.kilobytes for each in full), "KB"),
        Row("usable box", 400, statistics.median(usable), "ms"),
        Row(f"usable box, processor slowed {SLOWED} times", 1000, statistics.median(usable_slow), "ms"),
    ]
    print(f"{'':36} {'measured':>10} {'target':>9}")
    for row in rows:
        verdict = "" if row.measured <= row.target else "  MISSED"
        print(f"{row.name:36} {row.measured:7.0f} {row.unit:2} {f'≤ {row.target:.0f}':>9}{verdict}")
    spread = [f"{min(times):.0f}–{max(times):.0f} ms" for times in (usable, usable_slow)]
    print(f"{options.runs} visits each; {spread[0]}, slowed {spread[1]}")


if __name__ == "__main__":
    main()
