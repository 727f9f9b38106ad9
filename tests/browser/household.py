"""A site where people sign in by accounts of its own: the real program, the real page, a mail server and its people."""

import asyncio
import re
import sys
import time
from base64 import b32decode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

from browser.reader import Reader
from playwright.async_api import CDPSession, Locator, expect
from program import Program, serving
from sign_in.test_mail import Box, an_smtp_server

from daehwa.sign_in.one_time_codes import code_at

PASSWORD = "a long enough sentence"
LINK = re.compile(r"http://localhost:\d+(/#/link/[A-Za-z0-9_-]{43})")
STEP_SECONDS = 30


class Household:
    """The site, and what its owner does at the terminal."""

    def __init__(self, program: Program, data: Path, box: Box) -> None:
        self.program = program
        self.data = data
        self.box = box
        self.address = program.address

    async def first_link(self) -> str:
        """Return the path of the link for the first admin, which is printed once the server listens."""
        return (await self.program.says(LINK))[1]

    async def user(self, *words: str) -> str:
        """Run `daehwa user`; return the path of the link that it prints, or nothing."""
        command = [str(Path(sys.executable).with_name("daehwa")), "user", *words, "--data-dir", str(self.data)]
        pipe = asyncio.subprocess.PIPE
        run = await asyncio.create_subprocess_exec(*command, cwd=self.data.parent, stdout=pipe, stderr=pipe)
        out, err = await run.communicate()
        assert run.returncode == 0, err.decode()
        found = LINK.search(out.decode())
        return "" if found is None else found[1]

    async def mailed_link(self) -> str:
        """Return the path of the link in the next mail."""
        await asyncio.wait_for(self.box.came.wait(), 10)
        self.box.came.clear()
        text = self.box.mails.pop().get_payload(decode=True)
        assert isinstance(text, bytes)
        found = LINK.search(text.decode())
        assert found is not None
        return found[1]


@asynccontextmanager
async def a_household(folder: Path, settings: dict[str, str]) -> AsyncIterator[Household]:
    """Run a site that has nobody yet."""
    box = Box()
    async with an_smtp_server(box) as port:
        mail = {"DAEHWA_SMTP_URL": f"smtp://127.0.0.1:{port}", "DAEHWA_SMTP_SENDER": "daehwa@example.com"}
        async with serving(folder / "data", {**settings, **mail}, "--accounts") as program:
            yield Household(program, folder / "data", box)


class Member(Reader):
    """Somebody in front of that site's page."""

    @property
    def login(self) -> Locator:
        """By what name to sign in."""
        return self.page.get_by_role("textbox", name="Name or e-mail address")

    @property
    def password(self) -> Locator:
        """The password that one has."""
        return self.page.get_by_label("Password", exact=True)

    @property
    def account(self) -> Locator:
        """What opens the account's menu."""
        return self.sidebar.locator(".account").get_by_role("button")

    async def goes_to(self, path: str) -> None:
        """Open an address anew."""
        await self.page.goto("about:blank")
        await self.page.goto(self.address + path)

    async def accepts(self, path: str, login: str | None = None, password: str = PASSWORD, name: str = "") -> None:
        """Open a link and do what it asks for."""
        await self.goes_to(path)
        await expect(self.new_password).to_be_visible()
        if login is not None:
            await self.page.get_by_role("textbox", name="Name for signing in").fill(login)
            await self.page.get_by_role("textbox", name="Your name").fill(name)
        await self.new_password.fill(password)
        await self.new_password.press("Enter")

    @property
    def new_password(self) -> Locator:
        """The password that is being chosen."""
        return self.page.locator('input[autocomplete="new-password"]')

    async def signs_in(self, login: str, password: str = PASSWORD) -> None:
        """Give a name and a password."""
        await self.login.fill(login)
        await self.password.fill(password)
        await self.password.press("Enter")

    async def is_in(self) -> None:
        """Wait for the page of whoever is signed in."""
        await expect(self.account).to_be_visible()
        await expect(self.box).to_be_editable()

    async def signs_out(self) -> None:
        """Leave."""
        await self.account.click()
        await self.page.get_by_role("menuitem", name="Sign out").click()
        await expect(self.login).to_be_visible()

    async def passkeys(self) -> "Device":
        """Give this browser a device that holds passkeys, whose owner touches it at once."""
        session = await self.page.context.new_cdp_session(self.page)
        await session.send("WebAuthn.enable")
        options: dict[str, Any] = {
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": True,
        }
        made = await session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        return Device(session, made["authenticatorId"])


class Device:
    """A virtual authenticator of Chromium's."""

    def __init__(self, session: CDPSession, identity: str) -> None:
        self._session = session
        self._id = identity

    async def is_verified(self, *, verified: bool) -> None:
        """Say whether its owner opens it."""
        await self._session.send("WebAuthn.setUserVerified", {"authenticatorId": self._id, "isUserVerified": verified})


def code_of(secret: str, *, ahead: int = 0) -> str:
    """Return what an authenticator app shows that has this secret; `ahead` of its time, where a code was used."""
    plain = "".join(secret.split())
    return code_at(b32decode(plain + "=" * (-len(plain) % 8)), int(time.time()) // STEP_SECONDS + ahead)


Members: TypeAlias = Callable[..., Awaitable[Member]]
"""Opens the page in a browser of one's own."""
