"""What API Gateway does between a request and the function: a REST API with a STREAM integration, behind an API key.

Errors are worded as its own. Some headers of an answer come out under another name, as it does with REST APIs.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

from lambda_bed.errors import Failed, NotStarted, Throttled
from lambda_bed.events import EVENT_BYTES, ORIGIN_KEY, HttpRequest, event
from lambda_bed.function import Function
from lambda_bed.invocation import Invocation

REQUEST_BYTES = 10 * 1024 * 1024
IDLE_SECONDS = 300.0
"""A regional API ends a stream when nothing came for five minutes."""
REMAPPED = {"connection", "content-length", "date", "server", "www-authenticate"}


@dataclass(frozen=True)
class Answer:
    """An answer: its pieces come as the function makes them, and raise `Failed` or `TimeoutError` if it breaks off."""

    status: int
    headers: list[tuple[str, str]]
    pieces: AsyncIterator[bytes]


class ApiGateway:
    """The API. Whoever does not bring the key is refused before the function is asked."""

    def __init__(self, function: Function, *, key: str = ORIGIN_KEY, idle_seconds: float = IDLE_SECONDS) -> None:
        self.function = function
        self.asked: list[HttpRequest] = []
        self._key = key
        self._idle_seconds = idle_seconds

    async def answer(self, asked: HttpRequest) -> Answer:
        """Hand a request to the function and wait for the head of its answer."""
        self.asked.append(asked)
        if [value for name, value in asked.headers if name.lower() == "x-api-key"] != [self._key]:
            return _own(403, "Forbidden")
        made = event(asked)
        if len(asked.body) > REQUEST_BYTES or len(made) > EVENT_BYTES:
            return _own(413, "Request Too Long")
        try:
            invocation = await self.function.invoke(made)
            async with asyncio.timeout(self._idle_seconds):
                metadata = await invocation.metadata()
        except (Failed, NotStarted, Throttled):
            return _own(502, "Internal server error")
        except TimeoutError:
            return _own(504, "Endpoint request timed out")
        headers = [(_renamed(name), value) for name, value in metadata.headers]
        headers += [("set-cookie", cookie) for cookie in metadata.cookies]
        return Answer(metadata.status, headers, self._pieces(invocation))

    async def _pieces(self, invocation: Invocation) -> AsyncIterator[bytes]:
        chunks = invocation.payload()
        while True:
            async with asyncio.timeout(self._idle_seconds):
                chunk = await anext(chunks, None)
            if chunk is None:
                return
            yield chunk.data


def _renamed(name: str) -> str:
    return f"x-amzn-remapped-{name.lower()}" if name.lower() in REMAPPED else name.lower()


def _own(status: int, message: str) -> Answer:
    body = json.dumps({"message": message}).encode()

    async def pieces() -> AsyncIterator[bytes]:
        yield body

    return Answer(status, [("content-type", "application/json")], pieces())
