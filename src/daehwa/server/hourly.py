"""The hour's event, which AWS's clock sends to the function and Lambda Web Adapter hands on as a request."""

from collections.abc import Awaitable, Callable
from typing import Final

from daehwa.conversation.deadline import BEFORE_DEADLINE_SECONDS
from daehwa.conversation.ids import now_ms
from daehwa.server.asgi import Request, Response
from daehwa.server.deadline import deadline_of
from daehwa.server.errors import RouteNotFound

PATH: Final = "/events"
"""Where the adapter hands on what is no HTTP request, unless it is told otherwise."""
CONTEXT: Final = b"x-amzn-request-context"
"""The adapter writes it anew with each request: what API Gateway says of it, and `null` for an event."""
_SECONDS: Final = 20.0
"""For how long house is kept where nobody says when this process will be stopped."""


class HourlyApi:
    """The one operation. `keep_house` takes the seconds that it has."""

    def __init__(self, keep_house: Callable[[float], Awaitable[None]]) -> None:
        self._keep_house = keep_house

    async def take_event(self, request: Request) -> Response:
        """Keep house, until a while before this process is stopped. A viewer's request is not answered here."""
        if (request.header(CONTEXT) or "").lstrip().startswith("{"):
            raise RouteNotFound
        deadline = deadline_of(request)
        left = _SECONDS if deadline is None else (deadline - now_ms()) / 1000 - BEFORE_DEADLINE_SECONDS
        await self._keep_house(left)
        return Response(204)
