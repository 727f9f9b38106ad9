"""What Prometheus reads: open where nobody signs in; where people do, for whoever brings an admin's API key."""

from daehwa.accounts.errors import KeyExpired, KeyMissing, KeyRevoked, KeyUnknown, NotAllowed
from daehwa.accounts.key_making import is_live
from daehwa.accounts.minting import digest_of
from daehwa.server.access_log import Traffic
from daehwa.server.asgi import Request, Response
from daehwa.server.books import Books
from daehwa.server.errors import RouteNotFound

TEXT = b"text/plain; version=0.0.4; charset=utf-8"


class MetricsApi:
    """The operation for whoever watches over this server. Where the books have no exposition, there is none."""

    def __init__(self, traffic: Traffic, books: Books, *, has_sign_in: bool) -> None:
        self._traffic = traffic
        self._books = books
        self._has_sign_in = has_sign_in

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
        key = await self._books.keys.find_key(digest_of(text.strip()))
        user = None if key is None else await self._books.accounts.get_user(key.user)
        if key is None or user is None:
            raise KeyUnknown
        if not is_live(key, self._books.clock()):
            raise KeyExpired(key.name) if key.revoked is None else KeyRevoked(key.name)
        if user.role != "admin":
            raise NotAllowed("Only an admin's API key opens this.")
