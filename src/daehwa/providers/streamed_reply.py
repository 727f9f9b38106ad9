"""Reads one streamed answer of an upstream, batch by batch, as events."""

from typing import TYPE_CHECKING

from daehwa.conversation.events import ProviderEvent
from daehwa.providers.chunks import DONE, ChunkReader
from daehwa.providers.sse import EventDecoder, EventTooLong
from daehwa.providers.upstream_faults import Faults, UpstreamFault

if TYPE_CHECKING:
    from daehwa.providers.upstream_client import UpstreamStream


class StreamedReply:
    """Reads one answer batch by batch. The text that came before a fault is handed out before the fault is raised.
    `trim`: letters that are left out before the first other one.
    """

    def __init__(self, stream: "UpstreamStream", faults: Faults, *, trim: str = "") -> None:
        self._stream = stream
        self._faults = faults
        self._decoder = EventDecoder()
        self._chunks = ChunkReader(faults, trim=trim)
        self._has_content = False
        self._fault: UpstreamFault | None = None
        self._received = 0

    async def batch(self) -> list[ProviderEvent]:
        """Return the next events, none at the end. Raise `UpstreamFault`."""
        if not self._received:
            kind = self._stream.headers.get("content-type", "")
            if kind.startswith("application/json"):
                return await self._whole()
            if kind.startswith("text/html"):
                raise self._faults.malformed("a web page")
        try:
            while not self._chunks.is_done:
                if self._fault is not None:
                    raise self._fault
                piece = await (self._stream.gather() if self._has_content else self._stream.read())
                if not piece:
                    return self._at_end()
                self._received += len(piece)
                if events := self._events(piece):
                    return events
        except UpstreamFault:
            if self._chunks.finish is None:
                raise
        return []  # the end, or what follows the end that the model had come to and is of no account

    def _events(self, piece: bytes) -> list[ProviderEvent]:
        try:
            data = self._decoder.feed(piece)
        except EventTooLong as fault:
            self._fault = self._faults.malformed(str(fault))
            return []
        events = self._chunks.read(data)
        self._fault = self._chunks.fault
        if self._chunks.is_done:
            self._stream.finish()
        elif events:
            self._has_content = True
            self._stream.hold()
        return events

    def _at_end(self) -> list[ProviderEvent]:
        if self._chunks.finish is not None or self._decoder.rest() == DONE:
            return []
        if self._received and not self._chunks.seen and not self._decoder.rest():
            raise self._faults.malformed("something that is not an event stream")
        raise self._faults.cut()

    async def _whole(self) -> list[ProviderEvent]:
        # An upstream that does not stream, or an error with status 200: one body, read as one chunk.
        body = await self._stream.body()
        self._received = len(body) or 1
        events = self._chunks.read([body])
        if self._chunks.fault is not None:
            raise self._chunks.fault
        if not events:
            raise self._faults.malformed("an answer without content")
        self._chunks.is_done = True
        return events

    def close(self) -> None:
        """End the upstream call, unless it has ended by itself."""
        self._stream.close()
