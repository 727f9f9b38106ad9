"""Sends an answer of the gateway to its client: whole, or byte by byte as it comes."""

from collections.abc import Awaitable, Callable

from daehwa.conversation.errors import DaehwaError, ProviderError
from daehwa.gateway.answers import Answer, StreamedAnswer
from daehwa.gateway.ports import KeptAnswer
from daehwa.server.asgi import Headers, Receive, Response, Scope, Send
from daehwa.server.leaving import ended_when_left
from daehwa.server.openai_v1.errors import error_event

_STREAM_HEADERS = [(b"cache-control", b"no-store, no-transform"), (b"x-accel-buffering", b"no")]


class Relay:
    """The answer to a call, a plain ASGI application: `make` makes the call, and ends with the client."""

    def __init__(self, make: Callable[[], Awaitable[Answer]]) -> None:
        self._make = make

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Make the call and send its answer."""
        async with ended_when_left(receive):
            answer = await self._make()
            if isinstance(answer, StreamedAnswer):
                await _stream(answer, send)
                return
        await _whole(answer)(scope, receive, send)


def _whole(answer: KeptAnswer) -> Response:
    return Response(answer.status, answer.body, [*_encoded(answer.headers), (b"cache-control", b"no-store")])


async def _stream(answer: StreamedAnswer, send: Send) -> None:
    headers = [*_encoded(answer.headers), *_STREAM_HEADERS]
    try:
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        try:
            while piece := await answer.read():
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        except ProviderError as error:
            await _say(error, send)
    finally:
        await answer.aclose()
    await send({"type": "http.response.body", "body": b""})


async def _say(error: DaehwaError, send: Send) -> None:
    await send({"type": "http.response.body", "body": error_event(error), "more_body": True})


def _encoded(headers: tuple[tuple[str, str], ...]) -> Headers:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
