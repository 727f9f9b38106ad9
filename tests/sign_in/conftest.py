from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from sign_in.issuer import CLIENT, Issuer, query_of

from daehwa.accounts.errors import SignInFailed
from daehwa.accounts.ports import AccountStore
from daehwa.conversation.ids import now_ms
from daehwa.http_client.client import HttpClient
from daehwa.sign_in.flow import BegunSignIn, FinishedSignIn, ProviderAnswer, SignIn
from daehwa.sign_in.settings import SignInSettings
from daehwa.sign_in.visitors import NOWHERE, Visitor
from daehwa.stores.memory_accounts import MemoryAccounts
from daehwa.stores.memory_people import memory_people


async def read_secret() -> str:
    return "a secret: with + and /"


class Desk:
    """Sign-in at an issuer, and a browser between them, by hand."""

    def __init__(self, issuer: Issuer, http: HttpClient) -> None:
        self.issuer = issuer
        self.http = http
        self.people = memory_people(MemoryAccounts())
        self.accounts: AccountStore = self.people.accounts
        self.later_ms = 0
        self.sign_in = self.made()

    def made(self, *, seconds: float = 20, **changes: Any) -> SignIn:
        """Return sign-in with these settings instead."""
        settings: Any = {
            "issuer": self.issuer.url,
            "client_id": CLIENT,
            "client_secret": read_secret,
            "public_url": "https://chat.example",
            "allowed_emails": ("*",),
            "admin_emails": ("boss@example.com",),
            **changes,
        }
        clock = lambda: now_ms() + self.later_ms  # noqa: E731 - a clock that a test sets
        self.sign_in = SignIn(
            SignInSettings(**settings), self.accounts, self.http, people=self.people, clock=clock, seconds=seconds
        )
        return self.sign_in

    async def begun(
        self, return_to: str = "/chat.html", visitor: Visitor = NOWHERE
    ) -> tuple[BegunSignIn, ProviderAnswer]:
        """Begin, go to the issuer, and return what it sends back with the browser."""
        begun = await self.sign_in.begin(return_to, None, visitor)
        async with (
            aiohttp.ClientSession() as browser,
            browser.get(begun.location, allow_redirects=False) as answer,
        ):
            assert answer.status == 302, await answer.text()
            location = answer.headers["location"]
        assert location.startswith("https://chat.example/auth/callback?")
        given = query_of(location)
        known = {name: given[name] for name in ProviderAnswer.__struct_fields__ if name in given}
        return begun, ProviderAnswer(**known)

    async def signed_in(self, return_to: str = "/chat.html") -> FinishedSignIn:
        """Go the whole way."""
        begun, answer = await self.begun(return_to)
        return await self.sign_in.finish(answer, begun.browser, None)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    http = HttpClient()
    async with Issuer() as issuer:
        yield Desk(issuer, http)
        await http.aclose()


async def refused(desk: Desk, kind: type[Exception] = SignInFailed, match: str = "") -> str:
    """Go the whole way, which must fail, and leave nobody signed in; return the sentence."""
    with pytest.raises(kind, match=match) as raised:
        await desk.signed_in()
    assert type(raised.value) is kind
    assert await desk.accounts.list_users() == ()
    return str(raised.value)
