"""Answers on their way to the caller: whole ones, and streams that are counted as they pass."""

from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias

from daehwa.conversation.errors import (
    ProviderCutError,
    ProviderError,
    ProviderMalformedError,
    ProviderStreamError,
)
from daehwa.gateway.counting import Counted
from daehwa.gateway.ports import KeptAnswer, Sink, WireAnswer
from daehwa.gateway.tap import UsageTap
from daehwa.gateway.whole import is_json, is_over
from daehwa.gateway.wire_usage import said_in

Headers: TypeAlias = tuple[tuple[str, str], ...]

MOST_WHOLE_BYTES = 64 * 1024 * 1024
"""Bytes of an answer in one piece: images come as base64, a dozen to an answer."""
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


def _check_first(first: bytes) -> None:
    """Raise where what came first of a stream is an error, and nothing that is paid for."""
    if first.find(_ERROR) < 0:
        return
    tap = UsageTap(strip=False)
    tap.feed(first)
    if tap.has_failed and not tap.has_given:
        raise ProviderStreamError("The upstream's answer is but an error.")


class Claim(Protocol):
    """Who keeps an answer for an idempotency key."""

    def add(self, piece: bytes) -> None:
        """Hold a piece of a stream."""
        ...

    async def end(self, answer: "StreamedAnswer") -> None:
        """Keep the stream, or give the claim back where it did not come to its end."""
        ...


class StreamedAnswer:
    """An answer whose bytes are handed on as they come. Whoever has it must `aclose` it, however it ends.

    `says_its_end`: without that it has broken off, which is a `ProviderCutError`.
    """

    def __init__(
        self, answer: WireAnswer, tap: UsageTap, counted: Counted, headers: Headers, *, says_its_end: bool
    ) -> None:
        self.status = answer.status
        self.headers = headers
        self.claim: Claim | None = None
        """Who keeps the bytes as well, for an idempotency key."""
        self._answer = answer
        self._tap = tap
        self._counted = counted
        self._says_its_end = says_its_end
        self._fault: ProviderError | None = None
        self._has_ended = False
        self._is_closed = False

    @property
    def is_whole(self) -> bool:
        """Whether it came to its end."""
        return self._has_ended and self._fault is None and not self._tap.has_failed

    async def begun(self) -> None:
        """Return once something has come. Raise `ProviderError`, also where that is but an error: it is closed and
        counted then.
        """
        try:
            _check_first(await self._answer.begun())
        except BaseException as fault:  # whoever waits may leave
            self._fault = fault if isinstance(fault, ProviderError) else None
            await self.aclose()
            raise

    async def read(self) -> bytes:
        """Return the next bytes; empty at the end. Raise `ProviderError`."""
        while not self._has_ended:
            try:
                piece = await self._answer.read()
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
        try:
            last = await self._answer.forward(tapped)
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
        self._answer.close()
        try:
            await self._counted.end_stream(self._tap, None if self._fault is None else self._fault.type)
        finally:
            if self.claim is not None:
                await self.claim.end(self)

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


Answer: TypeAlias = KeptAnswer | StreamedAnswer
