"""When Lambda will stop this process, as the Lambda Web Adapter says with each request."""

import msgspec

from daehwa.server.asgi import Request

HEADER = b"x-amzn-lambda-context"


class _Context(msgspec.Struct):
    deadline: int


_decode = msgspec.json.Decoder(_Context).decode


def deadline_of(request: Request) -> int | None:
    """Return the deadline (ms since 1970) of the adapter's header; None where it says none.

    To be asked behind the adapter alone, which writes this header anew: elsewhere it is anybody's word.
    """
    text = request.header(HEADER)
    if text is None:
        return None
    try:
        return _decode(text.encode()).deadline
    except msgspec.DecodeError:
        return None
