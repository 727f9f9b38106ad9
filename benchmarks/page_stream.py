"""What a streaming answer costs the page: script and style per token, long tasks, frames, and whether length matters.

    python benchmarks/page_stream.py

measures the page's Markdown alone, on an otherwise empty page; `pages.py` measures real pages with what is here. Needs
Node, `npm install` done in web/, Playwright, a Chromium (`--chromium`). Each figure is the median of `--runs`. Script,
style and layout are the renderer's CPU time, so other work on the machine does not count; frames and long tasks are by
the clock, and it does. What the probes and the beat cost without any text is printed first, and is not taken off.
"""

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Browser, CDPSession, Page, Route, async_playwright

HERE = Path(__file__).parent
ADDRESS = "https://page.test"
TOKEN = 4
RATE = 100
REPLY = 8 * 1024

SECTION = """## Part {n}: how the pieces fit

A paragraph with **bold words**, *some emphasis*, `inline code` and a [link](https://example.com/{n}). It goes on \
for a few sentences, as answers do, so that the line wraps more than once on any screen. \
한국어 **문장**도 섞여 있습니다, "**따옴표**"와 함께.

1. First, read the input and check it.
2. Then work on it:
   - in small steps, each of which is **measured**,
   - and without looking back at what is finished.
3. Last, write down what was found.

```python
def part_{n}(values: list[int]) -> dict[str, float]:
    \"\"\"The mean and the spread of these values.\"\"\"
    mean = sum(values) / len(values)  # never empty here
    return {{"mean": mean, "spread": max(values) - min(values)}}
```

| Step | Cost | Notes |
|------|-----:|-------|
| read | {n}.5 ms | once |
| work | 12.0 ms | for each *item* |

> It costs $5 and $10 in the two cases, so choose well.

"""

PAGE = """<!doctype html><html lang=en><meta charset=utf-8><title>bench</title><link rel=stylesheet href=/markdown.css>
<style>body{max-width:48rem;margin:auto;font:16px system-ui}</style><main></main><script type=module>
import { streamMarkdown } from "/markdown.js";
const options = { copyLabel: () => "Copy", copiedLabel: () => "Copied" };
window.begin = () => { window.stream = streamMarkdown(document.querySelector("main"), options); };
window.grow = (tokens, rate) => new Promise((resolve) => {
  const begun = performance.now();
  let given = 0;
  const beat = setInterval(() => {
    const due = Math.min(tokens.length, Math.floor((performance.now() - begun) / 1000 * rate));
    while (given < due) window.stream.append(tokens[given++]);
    if (given === tokens.length) { clearInterval(beat); requestAnimationFrame(() => requestAnimationFrame(resolve)); }
  }, 1000 / rate);
});
</script>"""

OBSERVE = """
window.longTasks = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) window.longTasks.push(entry.duration);
}).observe({ type: "longtask" });
window.frames = [];
let last = performance.now();
const frame = (now) => { window.frames.push(now - last); last = now; requestAnimationFrame(frame); };
requestAnimationFrame(frame);
"""


def answer(length: int) -> str:
    """Mixed Markdown of this length."""
    text = "".join(SECTION.format(n=n) for n in range(1, length // 900 + 3))
    return text[:length]


def tokens(text: str) -> list[str]:
    """Cut a text into pieces of the length of a token."""
    return [text[at : at + TOKEN] for at in range(0, len(text), TOKEN)]


async def durations(session: CDPSession) -> dict[str, float]:
    """Milliseconds that the renderer has spent so far."""
    metrics = (await session.send("Performance.getMetrics"))["metrics"]
    return {each["name"]: each["value"] * 1000 for each in metrics if each["name"].endswith("Duration")}


async def opened(browser: Browser, built: Path) -> tuple[Page, CDPSession]:
    """Open an empty page with the Markdown and the probes on it."""
    page = await browser.new_page(viewport={"width": 1280, "height": 800})

    async def serve(route: Route) -> None:
        path = urlsplit(route.request.url).path
        file = built / path.lstrip("/")
        if path == "/":
            await route.fulfill(body=PAGE, content_type="text/html")
        elif file.is_file():
            await route.fulfill(path=file)
        else:
            await route.fulfill(status=404)

    await page.route("**/*", serve)
    await page.goto(f"{ADDRESS}/")
    await page.wait_for_function("'grow' in window")
    await page.evaluate(OBSERVE)
    session = await page.context.new_cdp_session(page)
    await session.send("Performance.enable", {"timeDomain": "threadTicks"})
    return page, session


async def measured(
    browser: Browser, built: Path, before: int, text: str, *, is_silent: bool = False
) -> dict[str, float]:
    """Stream `text` behind `before` characters that are already there."""
    page, session = await opened(browser, built)
    await page.evaluate("begin()")
    if is_silent:
        await page.evaluate("stream.append = () => {}; 0")
    if before:
        await page.evaluate("([text]) => grow(text.match(/[^]{1,400}/g), 400)", [answer(before)])
        await page.wait_for_timeout(500)
    await page.evaluate("longTasks.length = frames.length = 0")
    start = await durations(session)
    pieces = tokens(text)
    await page.evaluate("([tokens, rate]) => grow(tokens, rate)", [pieces, RATE])
    end = await durations(session)
    await page.evaluate("stream.finish()")
    await page.wait_for_timeout(200)
    figures = await seen(page, start, end, len(pieces))
    await page.close()
    return figures


async def seen(page: Page, start: dict[str, float], end: dict[str, float], count: int) -> dict[str, float]:
    """Put together what was measured over so many tokens."""
    observed: dict[str, Any] = await page.evaluate(
        "({longTasks, frames, elements: document.querySelectorAll('*').length})"
    )
    per_token = {name: (end[name] - start[name]) / count for name in end}
    frames = sorted(observed["frames"])
    return {
        "script": per_token["ScriptDuration"],
        "style": per_token["RecalcStyleDuration"],
        "layout": per_token["LayoutDuration"],
        "script + style": per_token["ScriptDuration"] + per_token["RecalcStyleDuration"],
        "long tasks": len(observed["longTasks"]),
        "frame p99": frames[int(len(frames) * 0.99)],
        "frame max": frames[-1],
        "elements": observed["elements"],
    }


async def whole(browser: Browser, built: Path) -> dict[str, float]:
    """Measure how long a finished message of 8 KB keeps the page, the first and later ones."""
    page, _session = await opened(browser, built)
    took: list[float] = await page.evaluate(
        """async ([text]) => {
          const { renderMarkdown } = await import("/markdown.js");
          const took = [];
          for (let count = 0; count < 12; count += 1) {
            const into = document.querySelector("main").appendChild(document.createElement("div"));
            const begun = performance.now();
            const done = renderMarkdown(into, text, { copyLabel: () => "Copy", copiedLabel: () => "Copied" });
            took.push(performance.now() - begun);
            await done;
          }
          return took;
        }""",
        [answer(REPLY)],
    )
    await page.close()
    return {"first 8 KB message": took[0], "later 8 KB message": statistics.median(took[2:])}


def median(results: list[dict[str, float]]) -> dict[str, float]:
    """Return the median of each figure."""
    return {name: statistics.median(each[name] for each in results) for name in results[0]}


def show(title: str, figures: dict[str, float]) -> None:
    """Print figures under a title."""
    sys.stdout.write(f"{title}\n" + "".join(f"  {name:<20} {value:10.3f}\n" for name, value in figures.items()))


async def standalone(browser: Browser, runs: int) -> None:
    """Measure the Markdown alone."""
    with tempfile.TemporaryDirectory() as folder:
        built = Path(folder)
        subprocess.run(["node", "--no-warnings", str(HERE / "page_stream.build.mjs"), folder], check=True)  # noqa: ASYNC221 - nothing else runs yet
        (built / "markdown.css").write_text((HERE / "../web/src/markdown/markdown.css").read_text())
        show("the probes alone, no text", await measured(browser, built, 0, " " * REPLY, is_silent=True))
        reply = [await measured(browser, built, 0, answer(REPLY)) for _ in range(runs)]
        show(f"a reply of {REPLY // TOKEN} tokens at {RATE} tokens/s, milliseconds per token", median(reply))
        costs = {}
        for size in (4, 64):
            further = [await measured(browser, built, size * 1024, answer(2048)) for _ in range(runs)]
            show(f"512 tokens more behind {size} KB", median(further))
            costs[size] = median(further)["script + style"]
        sys.stdout.write(f"cost per token at 64 KB / at 4 KB: {costs[64] / costs[4]:.2f}\n")
        show("renderMarkdown, milliseconds until the text stands there", await whole(browser, built))


async def main() -> None:
    """Measure what the options ask for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    arguments = parser.parse_args()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=arguments.chromium,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        try:
            await standalone(browser, arguments.runs)
        finally:
            await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
