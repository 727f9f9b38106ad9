"""Starts Firefox and WebKit with nobody's settings, and ends them."""

import asyncio
import json
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

import aiohttp
from engines.driving import SECONDS, Driver, Marionette, WebKit
from scripts.engines import DRIVER, SCREEN, firefox, mini_browser

ENGINES = ("firefox", "webkit")
END_SECONDS = 10
T = TypeVar("T")
PREFERENCES = {
    "marionette.port": 0,  # any free one
    "intl.accept_languages": "en-US",
    "browser.shell.checkDefaultBrowser": False,
    "network.proxy.type": 0,
    "signon.rememberSignons": False,
}


@asynccontextmanager
async def started(engine: str, folder: Path) -> AsyncIterator[Driver]:
    """Run a browser with its files in this folder."""
    browser: AbstractAsyncContextManager[Driver] = _firefox(folder) if engine == "firefox" else _webkit(folder)
    async with browser as driver:
        yield driver


@asynccontextmanager
async def _firefox(folder: Path) -> AsyncIterator[Marionette]:
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in PREFERENCES.items()]
    profile = folder / "profile"
    profile.mkdir()
    (profile / "user.js").write_text("\n".join(lines))
    command = [str(firefox()), "--headless", "--marionette", "--remote-allow-system-access", "--no-remote"]
    async with _running([*command, "--profile", str(profile)], folder / "firefox.log"):
        port = await _until(lambda: int((profile / "MarionetteActivePort").read_text()))
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**26)
        driver = Marionette(reader, writer)
        await driver.hello()
        yield driver
        writer.close()


@asynccontextmanager
async def _webkit(folder: Path) -> AsyncIterator[WebKit]:
    """In an X server of its own: this engine knows no other way of having no screen."""
    console = folder / "webkit.log"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    reading, writing = os.pipe()
    xvfb = [SCREEN, "-displayfd", str(writing), "-screen", "0", "1600x1200x24", "-nolisten", "tcp"]
    async with _running(xvfb, folder / "xvfb.log", pass_fds=(writing,)):
        os.close(writing)
        with os.fdopen(reading) as told:  # to the end of the line: it must not find the pipe closed before
            display = (await asyncio.to_thread(told.readline)).strip()
        settings = {
            "DISPLAY": f":{display}",
            "LANG": "C.UTF-8",
            "HOME": str(folder),
            "XDG_DATA_HOME": str(folder / "data"),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "NO_AT_BRIDGE": "1",  # nobody reads its windows aloud
            "WEBKIT_SKIA_ENABLE_CPU_RENDERING": "1",  # by a GPU that is only imitated, a picture takes seconds
        }
        async with (
            _running([DRIVER, "-p", str(port)], console, settings=settings),
            aiohttp.ClientSession(f"http://127.0.0.1:{port}", timeout=aiohttp.ClientTimeout(SECONDS)) as client,
        ):
            await _until(lambda: socket.create_connection(("127.0.0.1", port), 1).close())
            driver = WebKit(client, console)
            await driver.hello(mini_browser() or "")
            yield driver
            await driver.call("DeleteSession")


@asynccontextmanager
async def _running(
    command: list[str], log: Path, *, pass_fds: tuple[int, ...] = (), settings: Mapping[str, str] = MappingProxyType({})
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a program in a process group of its own, and end all of that."""
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command,
            env={**os.environ, **settings},
            pass_fds=pass_fds,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), END_SECONDS)
        except TimeoutError:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


async def _until(there: Callable[[], T]) -> T:
    """Ask for something of a program that starts until it is there."""
    async with asyncio.timeout(SECONDS):
        while True:
            with suppress(OSError, ValueError):
                return there()
            await asyncio.sleep(0.02)
