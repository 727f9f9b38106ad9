"""Sends an answer of the gateway to its client: whole, or byte by byte as it comes."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager

from daehwa.conversation.errors import DaehwaError
from daehwa.conversation.room import Share
from daehwa.gateway.answers import Answer, Streaming, has_events
from daehwa.gateway.ports import KeptAnswer
from daehwa.gateway.under_way import ENDINGS
from daehwa.server.access_log import exchange_of
from daehwa.server.asgi import Headers, Receive, Response, Scope, Send
from daehwa.server.direct import DirectBody, line_of
from daehwa.server.leaving import EndedWhenLeft
from daehwa.server.openai_v1.errors import error_event

_STREAM_HEADERS = [(b"cache-control", b"no-store, no-transform"), (b"x-accel-buffering", b"no")]


class Relay:
    """The answer to a call, a plain ASGI application: `make` makes the call, `under_way` knows that it is being made.

    `body` is there where the request's body is still being read; `close` gives back what the request holds, and
    `share` what a large body does, as soon as there is an answer. The call ends with its client, unless `make` calls
    what it is given: then its answer is kept for whoever asks again.
    """

    def __init__(
        self,
        make: Callable[[Callable[[], None]], Awaitable[Answer]],
        under_way: AbstractContextManager[object],
        *,
        body: asyncio.Event | None = None,
        close: Callable[[], None] | None = None,
        share: Share | None = None,
    ) -> None:
        self._make: Callable[[Callable[[], None]], Awaitable[Answer]] | None = make
        self._under_way = under_way
        self._body = body
        self._close = close
        self._share = share

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Make the call and send its answer."""
        answer: Answer | None = None
        ending: DaehwaError | None = None
        last = b""
        try:
            with self._under_way, EndedWhenLeft(scope, receive, after=self._body) as leaving:
                answer = await self._made(leaving.let_go)
                if self._share is not None:
                    self._share.give_back()
                if not isinstance(answer, KeptAnswer):
                    last = await _stream(answer, scope, send)
        except ENDINGS as error:
            if not exchange_of(scope).status:
                raise
            ending = error
        finally:
            # Whoever has read the last event may leave at once: that is no reason to leave the counting undone.
            if answer is not None and not isinstance(answer, KeptAnswer):
                await answer.aclose()
            if self._close is not None:
                self._close()
            if self._share is not None:
                self._share.give_back()
        if isinstance(answer, KeptAnswer):
            await _whole(answer)(scope, receive, send)
        else:
            if ending is not None and answer is not None:
                await _say(ending, answer, scope, send)
            await send({"type": "http.response.body", "body": last})

    async def _made(self, claimed: Callable[[], None]) -> Answer:
        # What was asked may be long: it is not held while the answer streams.
        make, self._make = self._make, None
        if make is None:
            raise RuntimeError("A call is made once.")
        return await make(claimed)


def _whole(answer: KeptAnswer) -> Response:
    return Response(answer.status, answer.body, [*_encoded(answer.headers), (b"cache-control", b"no-store")])


async def _stream(answer: Streaming, scope: Scope, send: Send) -> bytes:
    """Send a stream; return what came with its end and is left to go with the answer's, since it is counted by now."""
    line = line_of(scope)
    body = None if line is None else line.body()
    # No name is given to what is held for no longer than this: a thousand streams hold it a thousand times.
    await send(
        {
            "type": "http.response.start",
            "status": answer.status,
            "headers": [*_encoded(answer.headers), *_STREAM_HEADERS],
        }
    )
    try:
        return await (_sent(answer, send) if body is None else _forwarded(answer, body, scope))
    except DaehwaError as error:  # of the upstream, or of the next one that was asked
        await _say(error, answer, scope, send)
        return b""


async def _forwarded(answer: Streaming, body: DirectBody, scope: Scope) -> bytes:
    scope["headers"].clear()  # uvicorn's own list, and nobody asks for the request's headers any more
    try:
        last = await answer.forward(body)
        if last and not answer.close_now():  # what was paid for waits for no store
            body.write(last)
            last = b""
        return last
    finally:
        body.close()
        exchange_of(scope).sent += body.sent


async def _sent(answer: Streaming, send: Send) -> bytes:
    while piece := await answer.read():
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    return b""


async def _say(error: DaehwaError, answer: Streaming, scope: Scope, send: Send) -> None:
    """Say what is wrong in a stream of events. What is none is cut off: it would be taken for whole, or for sound."""
    if not has_events(answer):
        if (line := line_of(scope)) is not None:  # other servers end it as it is
            line.cut()
        return
    await send({"type": "http.response.body", "body": error_event(error, scope["path"]), "more_body": True})


def _encoded(headers: tuple[tuple[str, str], ...]) -> Headers:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
