"""A browser by the commands of WebDriver: Firefox takes them over Marionette, WebKit over WebKitWebDriver."""

import asyncio
import json
from pathlib import Path
from typing import Any, Protocol

import aiohttp

SECONDS = 30
# What of a session's address each command of Marionette's is in WebDriver's own form.
PATHS = {
    "Navigate": ("POST", "/url"),
    "Refresh": ("POST", "/refresh"),
    "Back": ("POST", "/back"),
    "Forward": ("POST", "/forward"),
    "ExecuteScript": ("POST", "/execute/sync"),
    "PerformActions": ("POST", "/actions"),
    "ReleaseActions": ("DELETE", "/actions"),
    "SetWindowRect": ("POST", "/window/rect"),
    "DeleteSession": ("DELETE", ""),
}


class DriverError(Exception):
    """The browser refused a command."""


class Driver(Protocol):
    """Something that takes WebDriver's commands."""

    async def call(self, command: str, **parameters: Any) -> Any:
        """Give a command and return its value; raise `DriverError` where it is refused."""

    async def said(self) -> list[str]:
        """Return the errors and warnings of the console since the last time."""


class Marionette:
    """Firefox's own protocol: each message is JSON behind its length; the commands are WebDriver's."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._number = 0

    async def hello(self) -> None:
        """Read what it says before it is asked, and begin."""
        assert (await self._read())["marionetteProtocol"] == 3
        await self.call("NewSession")

    async def call(self, command: str, **parameters: Any) -> Any:
        self._number += 1
        name = command if ":" in command else f"WebDriver:{command}"
        message = json.dumps([0, self._number, name, parameters])
        self._writer.write(f"{len(message)}:{message}".encode())
        _, number, error, result = await asyncio.wait_for(self._read(), SECONDS)
        assert number == self._number
        if error is not None:
            raise DriverError(f"{command}: {error['error']}: {error['message']}")
        return result["value"] if isinstance(result, dict) and set(result) == {"value"} else result

    async def said(self) -> list[str]:
        await self.call("Marionette:SetContext", value="chrome")
        try:
            found: list[str] = await self.call("ExecuteScript", script=FIREFOX_CONSOLE, args=[])
            return [line for line in found if LEFT_AT_WORK not in line]
        finally:
            await self.call("Marionette:SetContext", value="content")

    async def _read(self) -> Any:
        length = int((await self._reader.readuntil(b":"))[:-1])
        return json.loads(await self._reader.readexactly(length))


LEFT_AT_WORK = "Script terminated by timeout"
"""Firefox ends what a page is at when it is left for another, and says so; each test begins by leaving one."""

# Errors and warnings that come of pages; the browser's own chrome has some of its own.
FIREFOX_CONSOLE = """
const found = [];
for (const message of Services.console.getMessageArray()) {
    if (!(message instanceof Ci.nsIScriptError) || !/^http/.test(message.sourceName)) continue;
    found.push(`${message.category}: ${message.errorMessage}`);
}
Services.console.reset();
return found;
"""


class WebKit:
    """WebKitWebDriver, over HTTP."""

    def __init__(self, client: aiohttp.ClientSession, console: Path) -> None:
        self._client, self._console = client, console
        self._session = ""
        self._read = 0

    async def hello(self, browser: str) -> None:
        """Begin, with a browser that writes its console down."""
        options = {"binary": browser, "args": ["--automation", "--enable-write-console-messages-to-stdout=true"]}
        asked = {"capabilities": {"alwaysMatch": {"webkitgtk:browserOptions": options}}}
        self._session = (await self._ask("POST", "", asked))["sessionId"]

    async def call(self, command: str, **parameters: Any) -> Any:
        method, path = PATHS.get(command) or ("POST", "")
        if command == "ElementClick":
            path = f"/element/{parameters.pop('id')}/click"
        return await self._ask(method, f"/{self._session}{path}", parameters)

    async def said(self) -> list[str]:
        lines = self._console.read_text(errors="replace").splitlines()
        new, self._read = lines[self._read :], len(lines)
        return [line for line in new if "CONSOLE" in line and (" ERROR " in line or " WARN" in line)]

    async def _ask(self, method: str, path: str, body: Any) -> Any:
        async with self._client.request(method, f"/session{path}", json=body if method == "POST" else None) as answer:
            value = (await answer.json(content_type=None))["value"]
        if answer.status != 200:
            raise DriverError(f"{path}: {value['error']}: {value['message']}")
        return value
