"""Requests become typed values here: what the client sends is read within limits, decoded, or refused in a sentence."""

import asyncio
import re
from collections.abc import AsyncGenerator
from typing import TypeVar

import msgspec

from daehwa.accounts.people import User
from daehwa.conversation.bodies import not_json, problem_of
from daehwa.conversation.errors import DaehwaError, InvalidRequest, TooMuch
from daehwa.conversation.room import LARGE_BYTES, Room
from daehwa.server.asgi import ClientLeftError, Request
from daehwa.server.direct import line_of
from daehwa.server.errors import BodyTooSlow, TooManyAtOnce, UnsupportedMediaType
from daehwa.server.options import ServerOptions

T = TypeVar("T")

SLOW_SECONDS = 1.0
"""After so long it is asked once more who sends a body: what it begins must not outlive a deletion of their account."""
_SHOWN = 100
"""So many characters of a header that is refused are shown."""
_FIELD = re.compile(r"Object (missing required|contains unknown) field `([^`]*)`")


async def json_body(request: Request, kind: type[T], options: ServerOptions, limit: int | None = None) -> T:
    """Return the body as a value of `kind`; `limit` is how many bytes it may have, where it is not the options'.

    Raise `InvalidRequest`, `TooMuch`, `UnsupportedMediaType`, and what `read_body` raises.
    """
    checked_json_type(request)
    most = options.limits.body_bytes if limit is None else limit
    return _decoded(await read_body(request, most, options.body_seconds, options.room), kind)


def checked_json_type(request: Request) -> None:
    """Raise `UnsupportedMediaType` where the body is not announced as JSON, and as plain."""
    media_type = (request.header(b"content-type") or "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise UnsupportedMediaType
    check_plain(request)


def check_plain(request: Request) -> None:
    """Raise `UnsupportedMediaType` where the body is announced as compressed: a small one may unpack to any size."""
    encoding = (request.header(b"content-encoding") or "identity").strip().lower()
    if encoding != "identity":
        raise UnsupportedMediaType(encoding[:_SHOWN])


async def read_body(request: Request, limit: int, seconds: float, room: Room) -> bytes:
    """Return the body as it is; the request has its share of `room` where it is large. Raise `TooMuch`, `BodyTooSlow`,
    `TooManyAtOnce`, and, where who asks was shut out while it came, `NotSignedIn`.
    """
    if (line := line_of(request.scope)) is not None and line.has_whole_body:
        return await _read(request, limit, room)
    begun = asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout(seconds):
            body = await _read(request, limit, room)
    except TimeoutError:
        raise BodyTooSlow from None
    if request.identify is not None and asyncio.get_running_loop().time() - begun > SLOW_SECONDS:
        request.user = await request.identify(request)
    return body


def query_values(request: Request, kind: type[T]) -> T:
    """Return the query as a value of `kind`. Raise `InvalidRequest`."""
    try:
        return msgspec.convert(request.query(), kind, strict=False)
    except msgspec.ValidationError as error:
        raise _invalid(str(error), "The query") from None


async def _read(request: Request, limit: int, room: Room) -> bytes:
    """Return the whole body. One that is refused is heard to its end, up to twice the limit, but not kept: a client
    that is still sending would not see the answer.
    """
    refusal: DaehwaError | None = None
    if (length := _announced(request)) is not None and (length > limit or length > LARGE_BYTES):
        refusal = await _refusal(request, length, limit, room)
        if refusal is not None and request.header(b"expect") is not None:
            raise refusal  # it waits with the body for a word of ours
    chunks: list[bytes] = []
    size, has_more = 0, True
    while has_more and size <= 2 * limit:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientLeftError
        chunk, has_more = message.get("body", b""), message.get("more_body", False)
        size += len(chunk)
        if size > limit:
            refusal = _too_much(limit)
        elif size > LARGE_BYTES and request.share is None and refusal is None:
            refusal = await _refusal(request, limit, limit, room)  # who does not say how much may come has all of it
        if refusal is None:
            chunks.append(chunk)
        else:
            chunks.clear()
    if refusal is not None:
        raise refusal
    if request.share is not None:
        request.share.give_back(but=size)
    return b"".join(chunks)


async def _refusal(request: Request, size: int, limit: int, room: Room) -> DaehwaError | None:
    """Take room for a large body; return why it is not read where there is none for it, or may be none."""
    user: User | None = getattr(request, "user", None)
    if size > limit or user is None:  # of somebody who is not known yet nothing large is held
        return _too_much(limit if user is not None else min(limit, LARGE_BYTES))
    share = room.share_of(user.id)
    try:
        await share.take(size, room.seconds)
    except TimeoutError:
        return TooManyAtOnce()
    request.share = share
    return None


def _announced(request: Request) -> int | None:
    length = request.header(b"content-length")
    return int(length) if length is not None and length.isdecimal() else None


def _too_much(limit: int) -> TooMuch:
    return TooMuch(f"The request is too long: at most {limit:,} bytes are accepted.")


class BodyPieces:
    """A body that is handed on as it comes: `done` is set once all of it is here, `length` is what was announced.

    Raise `TooMuch` at once where more is announced than may come, and who asks waits for a word of ours.
    """

    def __init__(self, request: Request, limit: int, seconds: float) -> None:
        self.done = asyncio.Event()
        self.length = _announced(request)
        self._request = request
        self._limit = limit
        self._until = asyncio.get_running_loop().time() + seconds
        self._is_too_long = self.length is not None and self.length > limit
        if self._is_too_long and request.header(b"expect") is not None:
            raise _too_much(limit)

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Yield the body. One that is too long is heard further, as `read_body` does. Raise `TooMuch`, `BodyTooSlow`,
        `ClientLeftError`.
        """
        size, has_more = 0, True
        while has_more and size <= 2 * self._limit:
            try:
                async with asyncio.timeout_at(self._until):
                    message = await self._request.receive()
            except TimeoutError:
                raise BodyTooSlow from None
            if message["type"] == "http.disconnect":
                raise ClientLeftError
            piece, has_more = message.get("body", b""), message.get("more_body", False)
            size += len(piece)
            self._is_too_long = self._is_too_long or size > self._limit
            if not has_more:
                self.done.set()
            if piece and not self._is_too_long:
                yield piece
        if self._is_too_long:
            raise _too_much(self._limit)


def _decoded(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise _invalid(str(error), "The body") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise not_json(body) from None


def _invalid(reason: str, whole: str) -> InvalidRequest:
    problem, param = problem_of(reason)
    subject = f"'{param}'" if param else whole
    if (field := _FIELD.match(reason)) is not None:
        name = field.group(2)
        param = f"{param}.{name}" if param else name
        problem = f"'{name}' is missing" if field.group(1) == "missing required" else f"there is no '{name}' in it"
    return InvalidRequest(f"{subject} is not as it should be: {problem}.", param=param)
