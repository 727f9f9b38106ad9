"""Everything that people try against a server like this, against a real one of ours; none of it may succeed.

`python -m pytest tests/attacks` prints how many were tried. Those in a page are tried in `web/test/markup.test.ts` and
`tests/browser/test_attacks.py`, with the same texts.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from attacks import doors, framing, led_astray, lines, names, places
from attacks.led_astray import Canary
from attacks.outcome import Attempt, Recorded
from clients.home import Home, a_home
from cores import Core
from gateway.bed import Bed
from server.entrance import Entrance, an_entrance
from server.front_door import FrontDoor, a_front_door
from server.serving import Site, listening, serving
from sign_in.test_mail import Box, an_smtp_server

from daehwa.sign_in.mail import Mail, MailSettings
from daehwa.stores.memory_accounts import MemoryAccounts
from daehwa.stores.memory_people import memory_people

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
        """Return a server that people sign in to, by a provider and by accounts of its own, with all that admins do."""
        programs, accounts = Bed().programs(owner=None), MemoryAccounts()
        made = an_entrance(self.folder / "page", programs=programs, accounts=accounts, people=memory_people(accounts))
        return await self._stack.enter_async_context(made)

    async def door(self) -> FrontDoor:
        """Return a server with accounts of its own, behind a proxy that says where somebody comes from."""
        made = a_front_door(self.folder / "page", trusted_proxies=("127.0.0.1",))
        return await self._stack.enter_async_context(made)

    async def mailing_door(self) -> tuple[FrontDoor, Box]:
        """Return one that mails links, and the box in which they arrive."""
        box = Box()
        port = await self._stack.enter_async_context(an_smtp_server(box))
        mail = Mail(MailSettings(host="127.0.0.1", port=port, sender="daehwa@example.com"))
        made = a_front_door(self.folder / "page", trusted_proxies=("127.0.0.1",), mail=mail)
        return await self._stack.enter_async_context(made), box

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


async def _under_foreign_names(lab: Lab) -> AsyncIterator[Attempt]:
    async for attempt in doors.under_foreign_names(await lab.door()):
        yield attempt


async def _markup_at_doors(lab: Lab) -> AsyncIterator[Attempt]:
    async for attempt in doors.markup_at_doors(await lab.door()):
        yield attempt


async def _poisoned_links(lab: Lab) -> AsyncIterator[Attempt]:
    async for attempt in doors.poisoned_links(*await lab.mailing_door()):
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
    "a foreign name at the doors of accounts (DNS rebinding)": _under_foreign_names,
    "a page of another site (CSRF)": _forgery,
    "a file outside its folder (traversal)": _traversal,
    "a hidden request (smuggling)": _smuggling,
    "a line of one's own (header splitting)": _splitting,
    "a way to another site (open redirect)": _leading_away,
    "a mailed link that leads elsewhere (poisoned reset)": _poisoned_links,
    "markup that comes back (reflected XSS)": _reflection,
    "markup at the doors of accounts (reflected XSS)": _markup_at_doors,
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
