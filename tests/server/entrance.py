"""A site that people sign in to, as a browser sees it, with an issuer of ours behind it."""

import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
from books import some_books
from cores import Core
from server.serving import Site, serving
from sign_in.issuer import CLIENT, SECRET, Issuer

from daehwa.accounts.erasure import Erasure
from daehwa.accounts.people_ports import PeopleStores
from daehwa.accounts.ports import AccountStore
from daehwa.http_client.client import HttpClient
from daehwa.server.books import Books
from daehwa.server.entrances import Entrances
from daehwa.server.programs import Programs
from daehwa.sign_in.flow import SignIn
from daehwa.sign_in.local_accounts import LocalAccounts
from daehwa.sign_in.passwords import HashCost
from daehwa.sign_in.settings import SignInSettings
from daehwa.stores.memory_accounts import MemoryAccounts

PUBLIC = "https://chat.example"
SESSION, ATTEMPT = "__Host-daehwa", "__Host-daehwa-sign-in"
OURS = {"Sec-Fetch-Site": "same-origin"}
SAFE = "; Path=/; HttpOnly; SameSite=Lax; Secure"


async def read_secret() -> str:
    return SECRET


class Entrance:
    """A site that people sign in to, and what a browser does there. It stands behind a proxy, so its cookies are by
    hand: no client would send what is for https over plain http.
    """

    def __init__(self, site: Site, issuer: Issuer, books: Books) -> None:
        self.site = site
        self.issuer = issuer
        self.books = books

    async def get(self, path: str, **cookies: str) -> aiohttp.ClientResponse:
        """Ask as a browser that follows no redirect; return the answer, read."""
        headers = {"cookie": "; ".join(f"{name}={text}" for name, text in cookies.items())} if cookies else {}
        async with self.site.client.get(path, headers=headers, allow_redirects=False) as answer:
            await answer.read()
            return answer

    async def come_back(self, return_to: str = "/chat.html") -> tuple[str, str]:
        """Begin and go to the issuer; return the callback's path and query, and the attempt's cookie."""
        begun = await self.get(f"/auth/sign-in?return_to={return_to}")
        assert begun.status == 302, await begun.text()
        async with self.site.client.get(begun.headers["location"], allow_redirects=False) as answer:
            location = answer.headers["location"]
        assert location.startswith(PUBLIC)
        return location.removeprefix(PUBLIC), begun.cookies[ATTEMPT].value

    async def signed_in(self, **person: Any) -> dict[str, str]:
        """Sign somebody in; return the cookie header that the page then sends."""
        self.issuer.person |= person
        path, attempt = await self.come_back()
        done = await self.get(path, **{ATTEMPT: attempt})
        assert done.headers["location"] == "/chat.html", done.headers["location"]
        return {"cookie": f"{SESSION}={done.cookies[SESSION].value}"}


@contextlib.asynccontextmanager
async def an_entrance(
    page: Path,
    public_url: str = PUBLIC,
    books_of: Callable[[AccountStore], Books] = lambda accounts: some_books(accounts=accounts),
    programs: Programs | None = None,
    accounts: MemoryAccounts | None = None,
    people: PeopleStores | None = None,
    **changes: Any,
) -> AsyncIterator[Entrance]:
    """Serve it. With `people`, over the same accounts, there are accounts of this server's own too, and admins."""
    http, trusted = HttpClient(), changes.pop("trusted_proxies", ())
    async with Issuer() as issuer:
        settings: Any = {"allowed_emails": ("@example.com",), "admin_emails": ("boss@example.com",), **changes}
        settings |= {"issuer": issuer.url, "client_id": CLIENT, "client_secret": read_secret}
        accounts = accounts or MemoryAccounts()
        sign_in = SignIn(SignInSettings(public_url=public_url, **settings), accounts, http, people=people)
        books, core, entrances = books_of(accounts), Core(), Entrances(sign_in)
        if people is not None:
            local = LocalAccounts(people, public_url, provider=sign_in, cost=HashCost(passes=1, memory_kib=64))
            erasure = Erasure(people, (core.store, books.keys, books.ledger))
            entrances = Entrances(sign_in, local, people, erasure)
        options: Any = {"entrances": entrances, "trusted_proxies": trusted}
        async with serving(core, page, books=books, programs=programs, **options) as site:
            yield Entrance(site, issuer, books)
        await http.aclose()
