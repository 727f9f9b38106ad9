"""A site with local accounts, and browsers that keep their cookies as theirs do."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from books import some_books
from cores import Core
from server.serving import Site, serving
from stores.homes import HOMES

from daehwa.accounts.erasure import Erasure
from daehwa.accounts.people_ports import PeopleStores
from daehwa.conversation.ids import now_ms
from daehwa.server.books import Books
from daehwa.server.entrances import Entrances
from daehwa.sign_in.flow import SignIn
from daehwa.sign_in.local_accounts import LocalAccounts
from daehwa.sign_in.passwords import HashCost
from daehwa.stores.memory_accounts import MemoryAccounts
from daehwa.stores.memory_people import memory_people
from daehwa.stores.sqlite import SqliteStore
from daehwa.stores.sqlite_people import sqlite_people

PUBLIC = "https://chat.example"
OURS = {"sec-fetch-site": "same-origin"}
PASSWORD = "a long enough sentence"
SESSION, CODE, KNOWN, CHALLENGE = (
    *("__Host-daehwa", "__Host-daehwa-code", "__Host-daehwa-known", "__Host-daehwa-passkey"),
)


class Clock:
    """A clock that goes when it is told to; it begins now, since stores have their own."""

    def __init__(self, now: int) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now

    def go_on(self, seconds: float) -> None:
        self.now += int(seconds * 1000)


class Browser:
    """A browser: cookies come and go as answers say. They are for https, so they are kept by hand."""

    def __init__(self, door: "FrontDoor", **headers: str) -> None:
        self.door = door
        self.cookies: dict[str, str] = {}
        self.headers = {**OURS, **headers}

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Return status and JSON of an answer."""
        status, answer, _ = await self.heard(method, path, body, **headers)
        return status, answer

    async def heard(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any, dict[str, str]]:
        """Return status, JSON and headers of an answer."""
        sent = {**self.headers, **headers}
        if self.cookies:
            sent["cookie"] = "; ".join(f"{name}={text}" for name, text in self.cookies.items())
        client = self.door.site.client
        async with client.request(method, path, json=body, headers=sent, allow_redirects=False) as answer:
            text = (await answer.read()).decode("utf-8", "replace")
            for name, morsel in answer.cookies.items():
                assert morsel["httponly"]
                assert morsel["secure"]
                assert morsel["path"] == "/"
                assert not morsel["domain"]
                if morsel["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value
            is_json = answer.headers.get("content-type") == "application/json"
            return answer.status, await answer.json() if is_json else text or None, dict(answer.headers)

    async def refused(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, str]:
        """Return status and type of an error."""
        status, answer = await self.call(method, path, body, **headers)
        assert set(answer) == {"error"}, answer
        assert answer["error"]["message"].endswith("."), "a sentence"
        return status, answer["error"]["type"]

    async def sign_in(self, login: str, password: str = PASSWORD) -> tuple[int, Any]:
        return await self.call("POST", "/auth/password", {"login": login, "password": password})

    async def is_in(self) -> bool:
        return (await self.call("GET", "/api/me"))[0] == 200

    async def accept(self, link: str, **more: Any) -> tuple[int, Any]:
        body = {"token": link.rpartition("/")[2], "password": PASSWORD, **more}
        return await self.call("POST", "/auth/link/accept", body)


class FrontDoor:
    """A site with accounts, and what is behind it."""

    def __init__(self, site: Site, local: LocalAccounts, people: PeopleStores, clock: Clock, books: Books) -> None:
        self.books = books
        self.site = site
        self.local = local
        self.people = people
        self.clock = clock

    def browser(self, **headers: str) -> Browser:
        return Browser(self, **headers)

    async def admin(self, login: str = "boss") -> Browser:
        """Return the first admin's browser."""
        made = await self.local.first_admin_link()
        assert made is not None
        browser = self.browser()
        assert await browser.accept(made.url, login=login) == (200, {"next": "done"})
        return browser

    async def invite(self, role: Any = "member", email: str | None = None) -> str:
        maker = self.local.links.maker
        return (await maker.invite(email=email, role=role, groups=(), made_by=None, now=self.clock.now)).url

    async def member(self, login: str = "mina", **more: Any) -> Browser:
        """Return a browser of somebody who has just made an account."""
        browser = self.browser()
        assert await browser.accept(await self.invite(**more), login=login) == (200, {"next": "done"})
        return browser

    async def acts(self) -> list[str]:
        """What the audit log holds, oldest first."""
        return [event.action async for event in self.people.audit.events()]


@contextlib.asynccontextmanager
async def people_in(where: str, folder: Path) -> AsyncIterator[PeopleStores]:
    """The stores of people, in memory, in a file or in a table."""
    if where == "memory":
        yield memory_people(MemoryAccounts())
        return
    if where == "dynamodb":
        async with HOMES[where](folder) as people:
            yield people
        return
    store = await SqliteStore.open(folder / "people.sqlite3", holding=contextlib.nullcontext)
    try:
        yield sqlite_people(store, first_admin="owner")
    finally:
        await store.aclose()


@contextlib.asynccontextmanager
async def a_front_door(
    page: Path,
    *,
    public_url: str = PUBLIC,
    people: PeopleStores | None = None,
    passes: int = 1,
    **options: Any,
) -> AsyncIterator[FrontDoor]:
    """Serve a site with accounts; yield it. `sign_in`: with an identity provider too; `mail`: with mails; `core`,
    `books` and what else is `owned` by people: those of a home.
    """
    sign_in: SignIn | None = options.pop("sign_in", None)
    mail = options.pop("mail", None)
    people = people or memory_people(MemoryAccounts())
    clock = Clock(now_ms())
    local = LocalAccounts(
        people, public_url, provider=sign_in, mail=mail, cost=HashCost(passes=passes, memory_kib=64), clock=clock
    )
    books = options.pop("books", None) or some_books(accounts=people.accounts)
    core = options.pop("core", None) or Core()
    owned = (core.running, core.store, books.keys, books.ledger, *options.pop("owned", ()))
    erasure = Erasure(people, owned, clock=clock)
    async with serving(
        core, page, books=books, entrances=Entrances(sign_in, local, people, erasure), **options
    ) as site:
        yield FrontDoor(site, local, people, clock, books)
    await local.aclose()
