"""Makes docs/screenshot.png: `python scripts/screenshot.py`. A real server, a scripted upstream, a real Chromium.

The page is the built one; the answers are played, so that the picture is the same each time.
"""

import asyncio
import json
import os
import re
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

from scripts.chromium import machine_chromium, playwright_chromium  # noqa: E402 - found by the path set above
from upstream import Answer, FakeUpstream, Request, stream  # noqa: E402 - found by the path set above

PICTURE = ROOT / "docs" / "screenshot.png"
WAIT_MS = 10_000
SIZE = {"width": 1200, "height": 760}
TALK = (
    ("What does “daehwa” mean?", "The word daehwa", "**대화** (*daehwa*) is Korean for *conversation*."),
    (
        "Write a haiku about unit tests",
        "A haiku for tests",
        "Green light in the dark —\none assertion at a time\nthe code learns to speak.",
    ),
    (
        "여름 휴가 짐 목록을 만들어 줘",
        "여름 휴가 짐 목록",
        "물론이죠! 수영복, 선크림, 모자, 충전기부터 챙기세요.",
    ),
    (
        "How do I reverse a string in Python?",
        "Reverse a Python string",
        (
            "Slice it with a step of −1:\n\n```python\ndef reverse(text: str) -> str:\n"
            '    """Return the text from its end to its beginning."""\n    return text[::-1]\n\n\n'
            'print(reverse("conversation"))\n```\n\n'
            "| way | speed | reads well |\n| --- | --- | --- |\n| `text[::-1]` | fastest | yes |\n"
            '| `"".join(reversed(text))` | slower | yes |\n\n'
            "A slice walks *code points*, so letters made of several, such as some emoji, come apart."
        ),
    ),
)


def answer(request: Request) -> Answer:
    """Play the answer to the last question, or, where a limit is set for it, its title."""
    asked = request.json["messages"][-1]["content"]
    wants_title = "max_tokens" in request.json or "max_completion_tokens" in request.json
    _, title, said = next(talk for talk in TALK if talk[0] in asked)
    return Answer(stream(title if wants_title else said))


@asynccontextmanager
async def serving(upstream: str, folder: str) -> AsyncIterator[str]:
    """Run the program; yield its address."""
    environment = {**os.environ, "OPENAI_BASE_URL": upstream, "OPENAI_API_KEY": "not-a-key"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "from daehwa.cli import main; main()"),
        *("--port", "0", "--no-open", "--data-dir", folder),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        while not (found := re.search(r"Open (http://\S+)", line := (await process.stdout.readline()).decode())):  # type: ignore[union-attr] # a pipe
            if not line:
                sys.exit("The server did not start.")
        yield found[1]
    finally:
        process.terminate()
        await process.communicate()


async def ask_all(page: Page, address: str) -> None:
    """Ask every question in a conversation of its own, the last one staying open."""
    for question, title, _ in TALK:
        await page.goto(address)
        composer = page.get_by_role("textbox").last
        await composer.fill(question)
        await composer.press("Enter")
        await page.get_by_text(title, exact=True).first.wait_for(timeout=WAIT_MS)  # it comes after the answer
    await page.mouse.move(SIZE["width"] / 2, 4)
    await page.wait_for_timeout(600)  # the last frame and the fonts


async def take(browser: Browser, address: str) -> None:
    """Take the picture."""
    context = await browser.new_context(viewport=SIZE, device_scale_factor=2, locale="en-US", color_scheme="light")  # type: ignore[arg-type] # SIZE
    page = await context.new_page()
    await ask_all(page, address)
    await page.screenshot(path=PICTURE)
    await context.close()


async def main() -> None:
    """Start everything, take the picture, end everything."""
    chromium = machine_chromium() or playwright_chromium()
    with tempfile.TemporaryDirectory() as folder:
        async with (
            FakeUpstream(answer, models=["gpt-5"]) as upstream,
            serving(upstream.base_url, folder) as address,
            async_playwright() as playwright,
        ):
            browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            await take(browser, address)
            await browser.close()
    print(json.dumps({"picture": str(PICTURE.relative_to(ROOT)), "bytes": PICTURE.stat().st_size}))


if __name__ == "__main__":
    asyncio.run(main())
