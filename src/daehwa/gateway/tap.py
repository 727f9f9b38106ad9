"""Watches an answer's bytes on their way and takes from them what the call is paid by."""

import re

from daehwa.conversation.messages import Usage
from daehwa.gateway.wire_usage import said_in

LONGEST_EVENT = 8 * 1024 * 1024
"""Bytes that are held back at most while an event's end has not come."""

_HAS_USAGE = re.compile(rb'"usage"\s*:\s*\{')
_NULL_USAGE = re.compile(rb',\s*"usage"\s*:\s*null')
_END = re.compile(rb"\r?\n\r?\n")


class UsageTap:
    """Reads a stream of events. `strip`: usage was asked for by us, so the client is not shown it.

    `usage` is what the upstream said, None until it did; `tokens` counts events, about one a token.
    """

    def __init__(self, *, strip: bool) -> None:
        self.usage: Usage | None = None
        self.tokens = 0
        self._strips = strip
        self._rest = b""

    def feed(self, piece: bytes) -> bytes:
        """Take what came and return what goes on; an empty piece is the end, and returns what was held back."""
        if not piece:
            rest, self._rest = self._rest, b""
            return self._looked_at(rest) if self._strips else b""
        came = self._rest + piece if self._rest else piece
        end = max(_after(came, b"\n\n"), _after(came, b"\n\r\n"))
        whole, self._rest = came[:end], came[end:]
        if len(self._rest) > LONGEST_EVENT:
            whole, self._rest = came, b""
        shown = self._looked_at(whole)
        return shown if self._strips else piece

    def _looked_at(self, events: bytes) -> bytes:
        self.tokens += events.count(b"data:")
        if b'"usage"' not in events:
            return events
        if _HAS_USAGE.search(events) is None:
            return _NULL_USAGE.sub(b"", events) if self._strips else events
        kept = [event for event in _END.split(events) if event and not self._is_bare_usage(event)]
        shown = b"".join(event + b"\n\n" for event in kept)
        return _NULL_USAGE.sub(b"", shown) if self._strips else events

    def _is_bare_usage(self, event: bytes) -> bool:
        """Note the usage of an event, and return whether it holds nothing else."""
        data = b"\n".join(line[5:].strip() for line in event.splitlines() if line.startswith(b"data:"))
        if not data.startswith(b"{"):
            return False
        said = said_in(data)
        if said.counted is not None:
            self.usage = said.counted.tokens or self.usage
        return said.usage is not None and said.choices == []


def _after(came: bytes, ending: bytes) -> int:
    place = came.rfind(ending)
    return 0 if place < 0 else place + len(ending)


def usage_of(body: bytes) -> Usage | None:
    """Return the usage that a whole answer says."""
    counted = said_in(body).counted
    return None if counted is None else counted.tokens
