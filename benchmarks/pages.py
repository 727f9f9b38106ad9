"""Parts of `run.py`: daehwa's page and its peers' in Chromium, each from its real server.

`visit`: requests, weight and time to a usable box, with the processor as it is and slowed down four times. `page`: an
answer of 2,000 tokens of mixed Markdown (quick: 512) is asked for in the page, then 512 tokens more behind 64 KB.
Script and style are the renderer's CPU time until the page has caught up. Server on one processor, the browser on all.
The servers are started once for both parts, and while the part before them weighs what is installed: Open WebUI takes
half a minute.
"""

import asyncio
import os
import shutil
import sys
import urllib.request
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import programs
from contestants import DAEHWA, Contestant, Served, served
from page_load import SLOWED, visit
from page_stream import OBSERVE, RATE, TOKEN, durations, seen
from peers import CHAINLIT, OPEN_WEBUI
from playwright.async_api import Browser, CDPSession, async_playwright
from playwright.async_api import Error as PlaywrightError
from results import Bench, Measure, reason

VISIT = "A first visit of the page"
REQUESTS = Measure("requests", VISIT, "requests", 0)
WEIGHT = Measure("weight", VISIT, "compressed, KB", 0)
USABLE = Measure("usable", VISIT, "usable box, ms", 0)
SLOWED_USABLE = Measure("usable_slowed", VISIT, f"… processor slowed {SLOWED} times, ms", 0)

STREAM = f"An answer in the page, {RATE} tokens/s"
SCRIPT = Measure("page_script", STREAM, "script and style, ms a token", 2)
FRAME = Measure("page_frame", STREAM, "frame p99, ms")
TASKS = Measure("page_tasks", STREAM, "tasks over 50 ms", 0)
SERVER = Measure("page_server", STREAM, "server, µs of CPU a token", 0)
LONG_SCRIPT = Measure("page_script_long", STREAM, "behind 64 KB: script and style, ms a token", 2)
LONG_FRAME = Measure("page_frame_long", STREAM, "behind 64 KB: frame p99, ms")

BOXES: Mapping[str, str] = {DAEHWA: "#message", OPEN_WEBUI: "#chat-input", CHAINLIT: "#chat-input"}
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")
LONG, REPLY, FURTHER = 64 * 1024, 4096, 2048
_SETTLED_MS = 20.0
_SETTLING_LOOKS = 40
_BEGINNING_SECONDS = 30
_LONG_SECONDS = 90
_NOT_DONE_IN_THAT = {CHAINLIT}  # seen in two runs: waiting for it again costs the run a fifteenth
_MICRO = 1_000_000

PageWork = Callable[[Bench, Browser, Served, int], Coroutine[None, None, None]]


@dataclass(frozen=True)
class Pages:
    """Those who have a page, over one upstream; their servers may still be starting."""

    contestants: Mapping[str, Contestant]
    upstream: int
    running: Future[list[Served]]


@contextmanager
def started(bench: Bench, contestants: Mapping[str, Contestant]) -> Iterator[Pages]:
    """Begin to start the servers, and wait for none."""
    names = [name for name in contestants if name in BOXES]
    with _upstream() as upstream, ExitStack() as stack, ThreadPoolExecutor(1) as pool:
        servers = served(contestants, names, upstream, bench.results)
        yield Pages(contestants, upstream, pool.submit(stack.enter_context, servers))


def first_visits(bench: Bench, pages: Pages) -> None:
    """Visit each page anew, at full speed and slowed down."""
    _in_rounds(bench, "first visit", pages, _visits, 3)


def replies(bench: Bench, pages: Pages) -> None:
    """Ask in each page, and watch the answer grow."""
    _in_rounds(bench, "an answer in the page", pages, _replies, 1)


@contextmanager
def _upstream() -> Iterator[int]:
    port = programs.free_port()
    line = [sys.executable, str(programs.ROOT / "benchmarks" / "page_upstream.py"), str(port)]
    with programs.program(line, core=programs.CLIENT_CORE):
        programs.wait_until_up(port, "/v1/models")
        yield port


def _in_rounds(bench: Bench, title: str, pages: Pages, work: PageWork, most: int | None = None) -> None:
    """Do the work with every page in turn, once all servers run, in a browser that may use all processors.

    A peer's page takes ten times as long as daehwa's, and is looked at once.
    """
    running = pages.running.result()
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    try:
        for number in bench.in_rounds(title, most):
            for one in running:
                if number == 0 or not pages.contestants[one.name].is_peer:
                    _try(bench, title, one, _in_browser(bench, one, pages.upstream, work))
    finally:
        os.sched_setaffinity(0, {programs.CLIENT_CORE})


def _try(bench: Bench, title: str, one: Served, work: Coroutine[None, None, None]) -> None:
    """Do the work; remark where the page does not do what it is asked."""
    try:
        asyncio.run(work)
    except (OSError, PlaywrightError) as problem:
        bench.results.remark(f"{one.name}, {title}: {reason(problem)}")


async def _in_browser(bench: Bench, one: Served, upstream: int, work: PageWork) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        try:
            await work(bench, browser, one, upstream)
        finally:
            await browser.close()


async def _visits(bench: Bench, browser: Browser, one: Served, _upstream: int) -> None:
    address, box = f"http://127.0.0.1:{one.target.port}/", BOXES[one.name]
    await visit(browser, address, box, 1)  # the browser's own beginning counts for nothing
    quick = await visit(browser, address, box, 1)
    bench.results.add(REQUESTS, one.name, quick.requests)
    bench.results.add(WEIGHT, one.name, quick.kilobytes)
    bench.results.add(USABLE, one.name, quick.usable_ms)
    slowed = await visit(browser, address, box, SLOWED)
    bench.results.add(SLOWED_USABLE, one.name, slowed.usable_ms)


async def _replies(bench: Bench, browser: Browser, one: Served, upstream: int) -> None:
    figures = await _asked(browser, one, upstream, 0, FURTHER if bench.is_quick else REPLY)
    bench.results.add(SCRIPT, one.name, figures["script + style"])
    bench.results.add(FRAME, one.name, figures["frame p99"])
    bench.results.add(TASKS, one.name, figures["long tasks"])
    bench.results.add(SERVER, one.name, figures["server"])
    if one.name in _NOT_DONE_IN_THAT:
        bench.results.remark(f"{one.name}: left out behind 64 KB, where it was not done in {_LONG_SECONDS} s before")
    elif not bench.is_quick:
        try:
            async with asyncio.timeout(_LONG_SECONDS):
                figures = await _asked(browser, one, upstream, LONG, FURTHER)
        except TimeoutError:
            raise TimeoutError(f"behind 64 KB it was not done in {_LONG_SECONDS} s") from None
        bench.results.add(LONG_SCRIPT, one.name, figures["script + style"])
        bench.results.add(LONG_FRAME, one.name, figures["frame p99"])


async def _asked(browser: Browser, one: Served, upstream: int, before: int, length: int) -> dict[str, float]:
    """Ask for `length` characters behind `before` that come at once; return what a token cost."""
    page = await browser.new_page(viewport={"width": 1280, "height": 800})
    session = await page.context.new_cdp_session(page)
    await session.send("Performance.enable", {"timeDomain": "threadTicks"})
    await page.goto(f"http://127.0.0.1:{one.target.port}/", timeout=60_000, wait_until="domcontentloaded")
    box = page.locator(BOXES[one.name])
    await box.wait_for(timeout=60_000)
    await page.wait_for_timeout(1000)
    await box.press_sequentially(f"{before} then {length}")
    await page.evaluate(OBSERVE)
    ended = await _finished(upstream)
    server = one.cpu()
    await box.press("Enter")
    if before:
        await page.wait_for_timeout(before * 5 / 400 + 1500)
        server = one.cpu()
    await page.evaluate("longTasks.length = frames.length = 0")
    start = await durations(session)
    seconds = _BEGINNING_SECONDS + length / TOKEN / RATE
    async with asyncio.timeout(seconds):
        while await _finished(upstream) == ended:  # noqa: ASYNC110 - another program's event
            await asyncio.sleep(0.2)
    end = await _settled(session)
    figures = await seen(page, start, end, length // TOKEN)
    await page.context.close()
    return figures | {"server": (one.cpu() - server) / (length // TOKEN) * _MICRO}


async def _finished(upstream: int) -> int:
    def ask() -> int:
        with urllib.request.urlopen(f"http://127.0.0.1:{upstream}/finished", timeout=10) as answer:
            return int(answer.read())

    return await asyncio.to_thread(ask)


async def _settled(session: CDPSession) -> dict[str, float]:
    """Wait until the page has caught up with what came, twenty seconds at most; return what it has spent."""
    spent = await durations(session)
    for _ in range(_SETTLING_LOOKS):
        await asyncio.sleep(0.5)
        before, spent = spent, await durations(session)
        if sum(spent.values()) - sum(before.values()) < _SETTLED_MS:
            break
    return spent
