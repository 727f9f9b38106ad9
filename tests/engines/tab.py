"""The one tab of a browser: what a person does in it, and what they can see, in any engine."""

import asyncio
import time
from typing import Any

from engines.driving import Driver

WAIT_SECONDS = 10
KEYS = {"Enter": "\ue007", "Escape": "\ue00c", "Tab": "\ue004", "Shift": "\ue008", "Control": "\ue009"}
KEYS |= {"ArrowDown": "\ue015", "ArrowUp": "\ue013", "End": "\ue010", "Home": "\ue011", "Backspace": "\ue003"}
KEYS |= {"PageUp": "\ue00e", "PageDown": "\ue00f"}
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
# The last of what is seen with this role and name, as people call it: by its label, or by what is written on it.
FIND = """
const [role, name, within] = arguments;
const kinds = {
    button: "button, [role=button], summary",
    link: "a[href]",
    textbox: "textarea, input:not([type=checkbox], [type=radio], [type=search])",
    searchbox: "input[type=search]",
    menuitem: "[role=menuitem]",
    combobox: "select",
    heading: "h1, h2, h3",
    dialog: "dialog[open]",
    article: "article",
};
const labelOf = (element) => {
    const by = element.getAttribute("aria-labelledby");
    if (by) return by.split(" ").map((id) => document.getElementById(id)?.textContent ?? "").join(" ");
    const labels = [...(element.labels ?? [])].map((label) => label.textContent);
    return element.getAttribute("aria-label") ?? labels.join(" ");
};
const isCalled = (element) => (labelOf(element) || element.textContent).trim().replaceAll(/\\s+/g, " ") === name;
const places = within ? [...document.querySelectorAll(within)].slice(-1) : [document];
const found = places.flatMap((place) => [...place.querySelectorAll(kinds[role])]);
return found.filter((one) => isCalled(one) && one.checkVisibility({ visibilityProperty: true })).at(-1) ?? null;
"""


class Tab:
    """Acts by the browser's own input, so that it is trusted and takes the way a person's takes."""

    def __init__(self, driver: Driver, address: str) -> None:
        self.driver, self.address = driver, address

    async def open(self, path: str = "/") -> None:
        """Go to a path of the site, as by typing it."""
        await self.driver.call("Navigate", url="about:blank")
        await self.driver.call("Navigate", url=self.address + path)

    async def js(self, expression: str, *arguments: Any) -> Any:
        """Return what an expression is in the page; `arguments[0]` is the first argument."""
        return await self.driver.call("ExecuteScript", script=f"return ({expression})", args=list(arguments))

    async def sees(self, expression: str, *arguments: Any, seconds: float = WAIT_SECONDS) -> Any:
        """Wait until an expression is true in the page, and return it."""
        end = time.monotonic() + seconds
        while not (value := await self.js(expression, *arguments)):
            assert time.monotonic() < end, f"not seen in {seconds} s: {expression} {list(arguments)}"
            await asyncio.sleep(0.03)
        return value

    async def find(self, role: str, name: str, within: str | None = None) -> Any:
        """Wait for something with this role and name."""
        end = time.monotonic() + WAIT_SECONDS
        while not (found := await self.driver.call("ExecuteScript", script=FIND, args=[role, name, within])):
            assert time.monotonic() < end, f"no {role} called {name!r} within {within or 'the page'}"
            await asyncio.sleep(0.03)
        return found

    async def has(self, role: str, name: str, within: str | None = None) -> bool:
        """Whether something with this role and name is seen now."""
        return bool(await self.driver.call("ExecuteScript", script=FIND, args=[role, name, within]))

    async def click(self, role: str, name: str, within: str | None = None) -> None:
        """Click what has this role and name, with the mouse."""
        await self.click_on(await self.find(role, name, within))

    async def click_on(self, element: dict[str, str]) -> None:
        """Click an element in its middle, brought into view."""
        await self.driver.call("ElementClick", id=element[ELEMENT])

    async def press(self, *keys: str) -> None:
        """Press keys together and let them go, as Shift and Enter."""
        codes = [KEYS.get(key, key) for key in keys]
        actions = [{"type": "keyDown", "value": code} for code in codes]
        actions += [{"type": "keyUp", "value": code} for code in reversed(codes)]
        await self._act({"type": "key", "id": "keyboard", "actions": actions})

    async def write(self, text: str) -> None:
        """Type a text, letter by letter."""
        actions = [{"type": kind, "value": letter} for letter in text for kind in ("keyDown", "keyUp")]
        await self._act({"type": "key", "id": "keyboard", "actions": actions})

    async def wheel(self, x: int, y: int, down: int) -> None:
        """Turn the wheel over a place."""
        turn = {"type": "scroll", "x": x, "y": y, "deltaX": 0, "deltaY": down, "duration": 0, "origin": "viewport"}
        await self._act({"type": "wheel", "id": "wheel", "actions": [turn]})
        await self.driver.call("ReleaseActions")  # else WebKit takes the next turn for the same one

    async def resize(self, width: int, height: int) -> None:
        """Make the window this large on the outside."""
        await self.driver.call("SetWindowRect", x=0, y=0, width=width, height=height)

    async def _act(self, source: dict[str, Any]) -> None:
        await self.driver.call("PerformActions", actions=[source])
