"""Everything that people try against a server like this, against a real one of ours; none of it may succeed.

`python -m pytest tests/attacks` prints how many were tried. Those in a page are tried in `web/test/markup.test.ts` and
`tests/browser/test_attacks.py`, with the same texts.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from attacks import framing, led_astray, lines, names, places
from attacks.led_astray import Canary
from attacks.outcome import Attempt, Recorded
from clients.home import Home, a_home
from cores import Core
from gateway.bed import Bed
from server.entrance import Entrance, an_entrance
from server.serving import Site, listening, serving

ENOUGH = 400


class Lab:
    """The servers that are attacked, each begun when it is first wanted."""

    def __init__(self, folder: Path, stack: AsyncExitStack) -> None:
        self.folder = folder
        self._stack = stack

    async def site(self) -> Site:
        """Return a server on which nobody signs in, with every dialect, its page and a classic folder."""
        page, classic = places.lay_out(self.folder)
        return await self._stack.enter_async_context(serving(Core(), page, programs=Bed().programs(folder=classic)))

    async def entrance(self) -> Entrance:
        """Return a server that people sign in to."""
        programs = Bed().programs(owner=None)
        return await self._stack.enter_async_context(an_entrance(self.folder / "page", programs=programs))

    async def home(self) -> Home:
        """Return the whole program before an upstream."""
        return await self._stack.enter_async_context(a_home(self.folder))

    async def canary(self) -> Canary:
        """Return a service that nobody is to ask."""
        return await self._stack.enter_async_context(Canary())

    async def recorded(self) -> tuple[Recorded, int]:
        """Return what reaches a server, and its port."""
        site = await self.site()
        recorded = Recorded(site.app)
        return recorded, await self._stack.enter_async_context(listening(recorded))


async def _rebinding(lab: Lab) -> AsyncIterator[Attempt]:
    async for attempt in names.rebinding(await lab.site()):
        yield attempt


async def _forgery(lab: Lab) -> AsyncIterator[Attempt]:
    async for attempt in names.forgery(await lab.entrance()):
        yield attempt


async def _traversal(lab: Lab) -> AsyncIterator[Attempt]:
    async for attempt in places.traversal(await lab.site(), lab.folder):
        yield attempt


async def _smuggling(lab: Lab) -> AsyncIterator[Attempt]:
    async for attempt in framing.smuggling(*await lab.recorded()):
        yield attempt


async def _splitting(lab: Lab) -> AsyncIterator[Attempt]:
    async for attempt in lines.splitting(await lab.site(), await lab.entrance()):
        yield attempt


async def _leading_away(lab: Lab) -> AsyncIterator[Attempt]:
    async for attempt in lines.leading_away(await lab.entrance()):
        yield attempt


async def _reflection(lab: Lab) -> AsyncIterator[Attempt]:
    async for attempt in lines.reflection(await lab.site()):
        yield attempt


async def _inward(lab: Lab) -> AsyncIterator[Attempt]:
    async for attempt in led_astray.inward(await lab.canary()):
        yield attempt


async def _redirected(lab: Lab) -> AsyncIterator[Attempt]:
    async for attempt in led_astray.redirected(await lab.entrance(), await lab.canary()):
        yield attempt


async def _steered(lab: Lab) -> AsyncIterator[Attempt]:
    async for attempt in led_astray.steered(await lab.home(), await lab.canary()):
        yield attempt


CLASSES: dict[str, Callable[[Lab], AsyncIterator[Attempt]]] = {
    "a foreign name (DNS rebinding)": _rebinding,
    "a page of another site (CSRF)": _forgery,
    "a file outside its folder (traversal)": _traversal,
    "a hidden request (smuggling)": _smuggling,
    "a line of one's own (header splitting)": _splitting,
    "a way to another site (open redirect)": _leading_away,
    "markup that comes back (reflected XSS)": _reflection,
    "an address inside (SSRF)": _inward,
    "an identity provider that sends on (SSRF)": _redirected,
    "an address in a call (SSRF)": _steered,
}
_outcomes: dict[str, list[Attempt]] = {}


async def outcomes(kind: str, folder: Path) -> list[Attempt]:
    """Return what the attempts of a class came to; they are made once."""
    if kind not in _outcomes:
        async with AsyncExitStack() as stack:
            _outcomes[kind] = [attempt async for attempt in CLASSES[kind](Lab(folder, stack))]
    return _outcomes[kind]


@pytest.mark.parametrize("kind", CLASSES)
async def test_none_succeeds(kind: str, tmp_path: Path) -> None:
    made = await outcomes(kind, tmp_path)
    assert made
    assert [attempt.name for attempt in made if attempt.succeeded] == []


async def test_enough_are_tried(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told, tried, succeeded = ["", "attempts  succeeded"], 0, 0
    for number, kind in enumerate(CLASSES):
        (tmp_path / str(number)).mkdir()
        made = await outcomes(kind, tmp_path / str(number))
        won = sum(attempt.succeeded for attempt in made)
        told.append(f"{len(made):8,}  {won:9,}  {kind}")
        tried, succeeded = tried + len(made), succeeded + won
    told.append(f"{tried:8,}  {succeeded:9,}  in all")
    with capsys.disabled():
        print("\n".join(told))  # noqa: T201 - the figure is the point
    assert tried >= ENOUGH
    assert succeeded == 0
