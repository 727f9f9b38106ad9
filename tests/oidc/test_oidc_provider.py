"""The whole way with a certified provider, over real sockets: our server, its pages, a browser's cookies between."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import pytest
from books import some_books
from cores import Core
from oidc.provider import a_provider
from server.serving import listening
from yarl import URL

from daehwa.conversation.ids import now_ms
from daehwa.http_client.client import HttpClient
from daehwa.server.app import create_app
from daehwa.server.entrances import Entrances
from daehwa.server.options import ServerOptions
from daehwa.sign_in.flow import SignIn
from daehwa.sign_in.settings import SignInSettings
from daehwa.stores.memory_accounts import MemoryAccounts

SECRET = "s3cret: with / and +"
OURS = {"Sec-Fetch-Site": "same-origin"}


async def read_secret() -> str:
    return SECRET


class World:
    """A site, its provider, and a browser that follows redirects by hand."""

    def __init__(self, address: str, browser: aiohttp.ClientSession) -> None:
        self.address = URL(address)
        self.browser = browser
        self.http = HttpClient()
        self.later_ms = 0
        self.app: Any = None
        self.provider = contextlib.AsyncExitStack()
        """The provider's process: closing it ends that."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Be the site, which can be made only when the provider knows its address and it the provider's."""
        await self.app(scope, receive, send)

    def open(self, issuer: str, options: Mapping[str, Any]) -> None:
        """Make the site."""
        settings = SignInSettings(
            issuer=issuer,
            client_id="daehwa",
            client_secret=read_secret if "secret" in options else None,
            public_url=str(self.address.origin()),
            allowed_emails=("@example.com",),
            admin_emails=("boss@example.com",),
        )
        sign_in = SignIn(settings, MemoryAccounts(), self.http, clock=lambda: now_ms() + self.later_ms, seconds=30)
        self.app = create_app(
            Core(), books=some_books(), options=ServerOptions(version="0"), entrances=Entrances(sign_in)
        )

    async def start_provider(self, **options: Any) -> str:
        """Run the provider; return its issuer."""
        site = {"callback": str(self.address / "auth" / "callback"), "home": str(self.address / "chat.html")}
        return await self.provider.enter_async_context(a_provider(**site, **options))

    async def walk(self, address: URL, *, until: str) -> URL:
        """Follow redirects to the first address whose path begins so; it is not asked for itself."""
        seen = [str(address)]
        while not address.path.startswith(until):
            async with self.browser.get(address, allow_redirects=False) as answer:
                assert answer.status in {302, 303}, (seen, answer.status, await answer.text())
                address = address.join(URL(answer.headers["location"], encoded=True))
            seen.append(str(address))
            assert len(seen) < 12, seen
        return address

    async def to_provider(self, **query: str) -> URL:
        """Begin; return the provider's page that asks who it is."""
        begin = (self.address / "auth" / "sign-in").with_query(query)
        return await self.walk(begin, until="/interaction/")

    async def sign_in(self, name: str = "mina", return_to: str = "/chat.html") -> URL:
        """Sign in as somebody; return where that ended."""
        page = await self.to_provider(return_to=return_to)
        return await self.walk(page / "as" / name, until="/chat.html")

    async def me(self) -> Any:
        """Return who the site takes the browser for, None for nobody."""
        async with self.browser.get(self.address / "api" / "me") as answer:
            assert answer.status in {200, 401}
            return (await answer.json())["user"] if answer.status == 200 else None


@contextlib.asynccontextmanager
async def a_world(**options: Any) -> AsyncIterator[World]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
        world = World("http://127.0.0.1", browser)
        async with listening(world) as port, world.provider:
            world.address = URL(f"http://127.0.0.1:{port}/")
            world.open(await world.start_provider(**options), options)
            yield world
        await world.http.aclose()


async def test_a_person_signs_in_again_and_out() -> None:
    async with a_world(secret=SECRET) as world:
        assert await world.me() is None
        end = await world.sign_in(return_to="/chat.html?c=1")
        assert end == world.address.join(URL("/chat.html?c=1"))
        mina = await world.me()
        assert mina | {"id": ""} == {"id": "", "name": "Mina", "email": "mina@example.com", "role": "member"}

        # The provider remembers its own session: the second time nobody is asked anything.
        begin = world.address / "auth" / "sign-in"
        await world.walk(begin, until="/chat.html")
        assert await world.me() == mina

        async with world.browser.post(world.address / "auth" / "sign-out", headers=OURS) as answer:
            location = (await answer.json())["location"]
        assert await world.me() is None
        async with world.browser.get(location) as answer:
            page = await answer.text()
        assert "Do you want to sign-out" in page, "the provider took our hint and our way back"


async def test_an_admin_and_a_stranger() -> None:
    async with a_world() as world:
        await world.sign_in("boss")
        assert (await world.me())["role"] == "admin"
        world.browser.cookie_jar.clear()
        for name, kind in (("stranger", "not_allowed"), ("unverified", "email_not_verified")):
            end = await world.sign_in(name)
            assert end.query_string == f"sign_in_error={kind}"
            assert await world.me() is None
            world.browser.cookie_jar.clear()


async def test_who_may_not_come_in_can_take_another_account() -> None:
    async with a_world() as world:
        await world.sign_in("stranger")
        again = await world.walk(world.address / "auth" / "sign-in", until="/chat.html")
        assert again.query_string == "sign_in_error=not_allowed", "the provider knows the stranger, and does not ask"
        page = await world.to_provider(other_account="true")
        async with world.browser.get(page) as answer:
            assert "Sign in as mina" in await answer.text()


async def test_who_turns_back_at_the_provider_is_told() -> None:
    async with a_world() as world:
        page = await world.to_provider()
        end = await world.walk(page / "deny", until="/chat.html")
        assert end.query_string == "sign_in_error=sign_in_cancelled"
        assert await world.me() is None


async def test_an_answer_counts_once_and_in_its_own_browser() -> None:
    async with a_world(claimsInToken=True) as world:
        page = await world.to_provider()
        callback = await world.walk(page / "as" / "mina", until="/auth/callback")
        async with aiohttp.ClientSession() as other, other.get(callback, allow_redirects=False) as answer:
            assert answer.headers["location"] == "/chat.html?sign_in_error=sign_in_expired", "it has no cookie"
        end = await world.walk(callback, until="/chat.html")
        assert end.query_string == ""
        again = await world.walk(callback, until="/chat.html")
        assert again.query_string == "sign_in_error=sign_in_expired"
        assert await world.me() is not None, "whoever is signed in stays so"


@pytest.mark.parametrize(
    "options",
    [
        {"secret": SECRET, "method": "client_secret_post", "algorithm": "ES256"},
        {"algorithm": "PS256", "claimsInToken": True},
        {"algorithm": "Ed25519"},
    ],
)
async def test_every_kind_of_client_and_key(options: dict[str, Any]) -> None:
    async with a_world(**options) as world:
        await world.sign_in()
        assert (await world.me())["email"] == "mina@example.com"


async def test_the_provider_goes_down_and_comes_back_with_other_keys() -> None:
    async with a_world() as world:
        await world.sign_in()
        mina = await world.me()
        world.browser.cookie_jar.clear()
        page = await world.to_provider()
        callback = await world.walk(page / "as" / "mina", until="/auth/callback")
        await world.provider.aclose()
        end = await world.walk(callback, until="/chat.html")
        assert end.query_string == "sign_in_error=sign_in_unavailable"
        assert await world.me() is None

        assert page.port is not None
        await world.start_provider(port=page.port)
        end = await world.sign_in()
        assert end.query_string == "sign_in_error=sign_in_failed", "its keys were read a moment ago"
        world.later_ms = 11_000
        world.browser.cookie_jar.clear()
        await world.sign_in()
        assert await world.me() == mina
