"""Plays the server's part in signing in, in front of a program where nobody signs in: quick, and just as a test says.

The wire is docs/api.md's; `test_sign_in.py` holds the page to it here, and to the real server with a real identity
provider where that is what matters.
"""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from playwright.async_api import BrowserContext, Request, Route

ADA = {"id": "01990000-0000-7000-8000-00000000000a", "name": "Ada", "email": "ada@example.com", "role": "admin"}
BOB = {"id": "01990000-0000-7000-8000-00000000000b", "name": "", "email": "bob@example.com", "role": "member"}
NOT_SIGNED_IN = {"error": {"type": "not_signed_in", "message": "Sign in first."}}
DOORS = {"password": False, "passkey": False, "oidc": True, "oidc_name": None, "mail": False}


@dataclass
class Porter:
    """One browser's session. `comes` is who signs in next; `asked` holds the paths asked for, as they came."""

    person: dict[str, str] | None = None
    comes: dict[str, str] = field(default_factory=lambda: ADA)
    home: str = "local"
    logout: str | None = None
    asked: list[str] = field(default_factory=list)
    refused: int = 0

    async def stand_before(self, context: BrowserContext) -> None:
        """Take the requests of all pages of this browser."""
        await context.route("**/api/**", self._api)
        await context.route("**/auth/**", self._auth)

    def asked_for(self, path: str) -> int:
        """Return how often a path was asked for."""
        return self.asked.count(path)

    async def _api(self, route: Route, request: Request) -> None:
        path = urlsplit(request.url).path
        self.asked.append(f"{request.method} {path}")
        if self.person is None:
            self.refused += 1
            await route.fulfill(status=401, json=NOT_SIGNED_IN)
        elif path == "/api/me":
            answer = await route.fetch()
            me: dict[str, Any] = await answer.json()
            await route.fulfill(json={**me, "user": self.person, "sign_in": True, "home": self.home})
        else:
            await route.continue_()

    async def _auth(self, route: Route, request: Request) -> None:
        url = urlsplit(request.url)
        if url.path == "/auth/sign-in":
            self.person = self.comes
            back = parse_qs(url.query)["return_to"][0]
            # A played answer cannot redirect a navigation, so a page of nothing goes on.
            await route.fulfill(content_type="text/html", body=f"<script>location.replace({back!r})</script>")
        elif url.path == "/auth/doors":
            await route.fulfill(json=DOORS)
        else:
            assert (request.method, url.path) == ("POST", "/auth/sign-out")
            self.person = None
            await route.fulfill(json={"location": self.logout})
