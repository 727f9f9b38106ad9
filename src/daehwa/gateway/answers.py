"""Answers on their way to the caller: whole ones, and streams that are counted as they pass."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias

from daehwa.conversation.errors import (
    ProviderCutError,
    ProviderError,
    ProviderMalformedError,
    ProviderStreamError,
)
from daehwa.conversation.upstreams import says_too_long
from daehwa.gateway.counting import Counted
from daehwa.gateway.ports import KeptAnswer, Sink, WireAnswer, is_of_events
from daehwa.gateway.tap import Tap, has_data, whole_events
from daehwa.gateway.whole import is_json, is_over
from daehwa.gateway.wire_usage import said_in

Headers: TypeAlias = tuple[tuple[str, str], ...]

MOST_WHOLE_BYTES = 64 * 1024 * 1024
"""Bytes of an answer in one piece: images come as base64, a dozen to an answer."""
MOST_HELD_BYTES = 64 * 1024
"""Bytes of a stream without an event that are held: what has more has begun, whatever it is."""
_SAID_BYTES = 16 * 1024
_JSON = "application/json"
_ERROR = b'"error"'

_KEPT_NAMES = frozenset({"content-type", "content-disposition", "x-should-retry"})
_KEPT_BEGINNINGS = ("openai-", "x-ratelimit-", "retry-after")
_UPSTREAMS_ID = "x-upstream-request-id"


def headers_for(answer: Mapping[str, str], own: Headers) -> Headers:
    """Return the headers of an upstream's answer that clients use, then our own; `x-request-id` is ours alone.

    Where a key has a limit of its own, the upstream's headers on the same thing would speak of another one.
    """
    kept = [each for each in answer.items() if each[0] in _KEPT_NAMES or each[0].startswith(_KEPT_BEGINNINGS)]
    if own:
        limited = tuple(name.removeprefix("x-ratelimit-limit-") for name, _ in own)
        kept = [each for each in kept if not (each[0].startswith("x-ratelimit-") and each[0].endswith(limited))]
    if "x-request-id" in answer:
        kept.append((_UPSTREAMS_ID, answer["x-request-id"]))
    return (*kept, *own)


async def whole_body(answer: WireAnswer, heard: Callable[[int], None] = lambda _bytes: None) -> bytes:
    """Return the whole body and give the connection back; `heard` is told how much has come so far. Raise
    `ProviderError`.
    """
    pieces: list[bytes] = []
    size = 0
    try:
        while piece := await answer.read():
            pieces.append(piece)
            size += len(piece)
            heard(size)
            if size > MOST_WHOLE_BYTES:
                raise ProviderMalformedError(f"The upstream's answer has more than {MOST_WHOLE_BYTES:,} bytes.")
    finally:
        answer.close()
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def checked_whole(headers: Mapping[str, str], body: bytes) -> None:
    """Raise `ProviderMalformedError` where a body is said to be JSON and is not, or not all of it."""
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == _JSON and not is_json(body):
        raise ProviderMalformedError("The upstream's answer is not whole: its JSON breaks off, or is none.")


def is_error(body: bytes) -> bool:
    """Whether an answer in one piece is an error, although its status said that all was well."""
    return body.find(_ERROR) >= 0 and said_in(body).is_but_an_error


def is_too_long(error: bytes) -> bool:
    """Whether an error is that the prompt does not fit, which is the request's fault, whatever its status was."""
    return says_too_long(words_of(error))


def words_of(error: bytes) -> str:
    """Return what an error says, as far as anybody has to look into it."""
    return error[:_SAID_BYTES].decode("utf-8", "replace")


class Streaming(Protocol):
    """A stream that is handed on, whoever gives it. Whoever has it must `aclose` it, however it ends."""

    status: int
    headers: Headers
    claim: "Claim | None"

    @property
    def is_whole(self) -> bool:
        """Whether it came to its end."""
        ...

    async def read(self) -> bytes:
        """Return the next bytes; empty at the end."""
        ...

    async def forward(self, sink: Sink) -> bytes:
        """Write it into `sink` and return its last bytes, as `WireAnswer.forward` does."""
        ...

    def close_now(self) -> bool:
        """Close and count a stream that came to its end, if nothing of that has to wait; return whether it is done."""
        ...

    async def aclose(self) -> None:
        """End the upstream call, if it has not ended, and count it."""
        ...


def has_events(answer: Streaming) -> bool:
    """Whether a stream is one of events; else it is sound, say."""
    return is_of_events(dict(answer.headers).get("content-type"))


class Claim(Protocol):
    """Who keeps an answer for an idempotency key."""

    def add(self, piece: bytes) -> None:
        """Hold a piece of a stream."""
        ...

    async def end(self, answer: "Streaming") -> None:
        """Keep the stream, or give the claim back where it did not come to its end."""
        ...


class StreamedAnswer:
    """An answer whose bytes are handed on as they come. Whoever has it must `aclose` it, however it ends.

    `says_its_end`: without that it has broken off, which is a `ProviderCutError`.
    """

    def __init__(self, answer: WireAnswer, tap: Tap, counted: Counted, headers: Headers, *, says_its_end: bool) -> None:
        self.status = answer.status
        self.headers = headers
        self.claim: Claim | None = None
        """Who keeps the bytes as well, for an idempotency key."""
        self._answer = answer
        self._tap = tap
        self._counted = counted
        self._says_its_end = says_its_end
        self._fault: ProviderError | None = None
        self._held = bytearray()
        """What came while the first event was waited for."""
        self._reading: asyncio.Future[bytes] | None = None
        self._is_at_end = False
        self._has_ended = False
        self._is_closed = False

    @property
    def is_whole(self) -> bool:
        """Whether it came to its end."""
        return self._has_ended and self._fault is None and not self._tap.has_failed

    async def begun(self, seconds: float) -> bool:
        """Return True once its first event is there, or its end; False where so many seconds after the first comment
        that is held there were but comments: then `comments` may be handed on, and this called again. Raise
        `ProviderError`, also where the first event is but an error: it is closed and counted then.
        """
        until: float | None = None
        try:
            while not (self._is_at_end or self._tap.begins(self._held) or len(self._held) > MOST_HELD_BYTES):
                if self._held and until is None:
                    until = asyncio.get_running_loop().time() + seconds
                if (piece := await self._came(until)) is None:
                    return False
                self._held += piece
                self._is_at_end = not piece
            self._check_begun()
        except BaseException as fault:  # whoever waits may leave
            self._fault = fault if isinstance(fault, ProviderError) else None
            await self.aclose()
            raise
        return True

    def _check_begun(self) -> None:
        """Raise where a stream ends of which there were comments alone, or where its first event is but an error. One
        that is the request's fault is for its caller to read.
        """
        first = bytes(self._held)
        if self._tap.is_error(first) and not is_too_long(first):
            raise ProviderStreamError("The upstream's answer is but an error.")
        if self._is_at_end and self._says_its_end and not has_data(self._held, len(self._held)):
            raise ProviderCutError("The upstream's answer ended before it had begun. Try again.")

    def comments(self) -> bytes:
        """Return what came before the first event, as far as it is whole."""
        end = whole_events(self._held)
        given = bytes(self._held[:end])
        del self._held[:end]
        return self._tap.feed(given) if given else b""

    async def _came(self, until: float | None) -> bytes | None:
        """Return what comes next; None where nothing comes before a time of the loop's clock."""
        if self._reading is None:
            if until is None:
                return await self._answer.read()
            self._reading = asyncio.ensure_future(self._answer.read())
        left = None if until is None else max(0.0, until - asyncio.get_running_loop().time())
        done, _ = await asyncio.wait((self._reading,), timeout=left)
        if not done:
            return None
        reading, self._reading = self._reading, None
        return reading.result()

    async def read(self) -> bytes:
        """Return the next bytes; empty at the end. Raise `ProviderError`."""
        while not self._has_ended:
            try:
                piece = self._taken_held() or await self._next()
            except ProviderError as fault:
                self._fault = fault
                raise
            if not piece:
                self._check_end()
            if shown := self._passed(piece):
                return shown
        return b""

    async def forward(self, sink: Sink) -> bytes:
        """Write it into `sink` and return its last bytes, as `WireAnswer.forward` does. Raise `ProviderError`."""
        tapped = _TappedSink(sink, self._passed if self.claim is not None else self._tap.feed, self._counted.begin)
        if (held := self._taken_held()) and not tapped.write(held):
            await sink.drained()
        try:
            last = b"" if self._is_at_end else await self._answer.forward(tapped)
        except ProviderError as fault:
            self._fault = fault
            raise
        shown = self._passed(last) if last else b""
        try:
            self._check_end()
        except ProviderCutError:
            if shown:
                sink.write(shown)
            raise
        return shown + self._passed(b"")

    def close_now(self) -> bool:
        """Close and count a stream that came to its end, if nothing of that has to wait; return whether it is done."""
        if self.claim is None:
            self._answer.close()
            self._is_closed = self._counted.end_stream_now(self._tap)
        return self._is_closed

    async def aclose(self) -> None:
        """End the upstream call, if it has not ended, and count it."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._reading is not None:
            self._reading.cancel()
            self._reading.add_done_callback(_looked_at)
        if held := self._taken_held():  # it came, though nobody has read it
            self._tap.feed(held)
        self._answer.close()
        try:
            await self._counted.end_stream(self._tap, None if self._fault is None else self._fault.type)
        finally:
            if self.claim is not None:
                await self.claim.end(self)

    def _taken_held(self) -> bytes:
        held = bytes(self._held)
        self._held.clear()
        return held

    async def _next(self) -> bytes:
        return b"" if self._is_at_end else await self._answer.read()

    def _check_end(self) -> None:
        """Raise where nothing more comes of a stream that has not said its end. What is held back of it stays so."""
        tap = self._tap
        if self._says_its_end and not tap.has_failed and not is_over(tap.last, tap.unfinished):
            self._fault = ProviderCutError("The upstream's answer broke off before its end. Try again.")
            raise self._fault

    def _passed(self, piece: bytes) -> bytes:
        if piece:
            self._counted.begin()
        else:
            self._has_ended = True
        shown = self._tap.feed(piece)
        if shown and self.claim is not None:
            self.claim.add(shown)
        return shown


def _looked_at(reading: "asyncio.Future[bytes]") -> None:
    """Look at what came of it: nobody else will."""
    if not reading.cancelled():
        reading.exception()


class _TappedSink:
    """A sink that shows each piece to the tap first; `begin` is called with the first. Its `write` runs once a piece:
    nothing else may be in it.
    """

    __slots__ = ("_begin", "_passed", "_write", "drained")

    def __init__(self, sink: Sink, passed: Callable[[bytes], bytes], begin: Callable[[], None]) -> None:
        self._write = sink.write
        self._passed = passed
        self._begin: Callable[[], None] | None = begin
        self.drained = sink.drained

    def write(self, piece: bytes) -> bool:
        if self._begin is not None:
            self._begin()
            self._begin = None
        shown = self._passed(piece)
        return self._write(shown) if shown else True


Answer: TypeAlias = KeptAnswer | Streaming
