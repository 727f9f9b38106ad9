"""What Prometheus reads: open where nobody signs in; where people do, for whoever brings an admin's API key."""

from collections.abc import Callable
from hmac import compare_digest

from daehwa.accounts.errors import AccountDisabled, KeyMissing, KeyUnknown, NotAllowed
from daehwa.accounts.key_making import key_of
from daehwa.accounts.people import User
from daehwa.server.access_log import Traffic
from daehwa.server.asgi import Request, Response
from daehwa.server.books import Books
from daehwa.server.errors import RouteNotFound

TEXT = b"text/plain; version=0.0.4; charset=utf-8"


class MetricsApi:
    """The operation for whoever watches over this server. Where the books have no exposition, there is none. `as_now`
    returns somebody as what the settings let them be now, None where they may not come in.
    """

    def __init__(
        self, traffic: Traffic, books: Books, *, has_sign_in: bool, as_now: Callable[[User], User | None]
    ) -> None:
        self._traffic = traffic
        self._books = books
        self._has_sign_in = has_sign_in
        self._as_now = as_now

    async def get_metrics(self, request: Request) -> Response:
        """Return counts and times of calls, and how upstreams fare, for Prometheus.

        Where people sign in, an admin's API key opens it: `Authorization: Bearer dh_…`. Not on AWS.
        """
        exposition = self._books.exposition
        if exposition is None:
            raise RouteNotFound
        if self._has_sign_in:
            await self._check(request)
        text = await exposition.text(requests=self._traffic.open)
        return Response(200, text, [(b"content-type", TEXT), (b"cache-control", b"no-store")])

    async def _check(self, request: Request) -> None:
        scheme, _, text = (request.header(b"authorization") or "").strip().partition(" ")
        if scheme.lower() != "bearer" or not text:
            raise KeyMissing
        if self._books.word is not None and compare_digest(text.strip().encode(), self._books.word.encode()):
            return
        key = await key_of(self._books.keys, text.strip(), now=self._books.clock())
        user = await self._books.accounts.get_user(key.user)
        if user is None:
            raise KeyUnknown
        if user.disabled is not None or user.leaving is not None:
            raise AccountDisabled
        now = self._as_now(user)
        if now is None or now.role != "admin":
            raise NotAllowed("Only an admin's API key opens this.")
