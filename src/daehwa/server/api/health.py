"""Whether the server answers: what a start, and whoever watches over it, asks first."""

import msgspec

from daehwa.server.asgi import Request, Response, json_response


class Health(msgspec.Struct, frozen=True):
    """The server answers."""

    status: str = "ok"


async def get_health(_request: Request) -> Response:
    """Say that the server answers; nothing is read for it."""
    return json_response(Health())
