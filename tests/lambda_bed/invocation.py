"""One invocation of a function: the event that it is given, and its answer as it arrives."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from typing import NamedTuple

from lambda_bed.errors import Failed
from lambda_bed.frame import FrameReader, Metadata


class Chunk(NamedTuple):
    """Payload, and the moment (monotonic seconds) when it arrived."""

    at: float
    data: bytes


class Invocation:
    """An invocation while it runs and after. Whoever reads its answer may come late: nothing is lost."""

    def __init__(self, event: bytes, seconds: float) -> None:
        self.id = str(uuid.uuid4())
        self.event = event
        self.seconds = seconds
        self.began = time.monotonic()
        self.deadline_ms = 0
        self.chunks: list[Chunk] = []
        self.failure: Failed | None = None
        self.ended = asyncio.Event()
        self._frame = FrameReader()
        self._news = asyncio.Event()

    def begin(self) -> None:
        """Start the clock: the event is handed over."""
        self.began = time.monotonic()
        self.deadline_ms = round((time.time() + self.seconds) * 1000)

    def feed(self, data: bytes) -> None:
        """Take a chunk of the answer as it came over the wire."""
        payload = self._frame.feed(data)
        if payload:
            self.chunks.append(Chunk(time.monotonic(), payload))
        self._tell()

    def finish(self) -> None:
        """Say that the answer is whole."""
        self._frame.end()
        self.ended.set()
        self._tell()

    def fail(self, kind: str, message: str) -> None:
        """Say that there is no answer, or no more of it."""
        if not self.ended.is_set():
            self.failure = Failed(kind, message)
            self.ended.set()
            self._tell()

    async def metadata(self) -> Metadata:
        """Wait for the head of the answer; raise `Failed` where there is none."""
        while self._frame.metadata is None:
            if self.failure is not None:
                raise self.failure
            await self._more()
        return self._frame.metadata

    async def payload(self) -> AsyncIterator[Chunk]:
        """Yield the chunks as they come, then raise `Failed` if the answer broke off."""
        read = 0
        while True:
            while read < len(self.chunks):
                yield self.chunks[read]
                read += 1
            if self.ended.is_set():
                break
            await self._more()
        if self.failure is not None:
            raise self.failure

    async def body(self) -> bytes:
        """Wait for the end and return the whole payload."""
        return b"".join([chunk.data async for chunk in self.payload()])

    @property
    def arrived(self) -> bytes:
        """The payload so far."""
        return b"".join(chunk.data for chunk in self.chunks)

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def _more(self) -> None:
        await self._news.wait()
