"""An incremental decoder of server-sent events: bytes in whatever pieces, out come the data of whole events.

It follows the WHATWG event stream rules; event names and ids are read over, since the OpenAI wire does not use them.
"""

LINE_LIMIT = 4 * 1024 * 1024
"""Bytes that one line, or the data of one event, may have."""

_BOM = b"\xef\xbb\xbf"


class EventTooLong(ValueError):  # noqa: N818 - errors state the fact
    """A line or an event is longer than the limit."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"a line of the stream is longer than {limit} bytes")


class EventDecoder:
    """Feed it what arrives; each `feed` returns the data of the events that this completes.

    How this works: line ends become LF on the way in, so that the usual case, whole events of one `data:` line, is one
    split at blank lines and one slice an event. `_tail` holds pieces of an unfinished line and is joined only when its
    end comes, so that a long line dripping in costs no more than one that comes at once. `_data` holds the lines of
    an unfinished event.
    """

    __slots__ = ("_after_cr", "_data", "_data_size", "_limit", "_start", "_tail", "_tail_size")

    def __init__(self, limit: int = LINE_LIMIT) -> None:
        self._limit = limit
        self._tail: list[bytes] = []
        self._tail_size = 0
        self._data: list[bytes] = []
        self._data_size = 0
        self._after_cr = False
        self._start: bytes | None = b""

    def feed(self, piece: bytes) -> list[bytes]:
        """Return the data of the events completed by `piece`. Raise `EventTooLong`."""
        if self._start is not None:
            piece = self._without_bom(piece)
        if self._after_cr or b"\r" in piece:
            piece = self._with_lf(piece)
        if b"\n" not in piece:
            self._hold(piece)
            return []
        if self._tail:
            self._tail.append(piece)
            piece = b"".join(self._tail)
            self._tail.clear()
            self._tail_size = 0
        if self._data or len(piece) > self._limit:
            return self._lines(piece)
        return self._blocks(piece)

    def rest(self) -> bytes:
        """Return the data of an event that the stream's end cut off, as far as it came."""
        line = b"".join(self._tail)
        value = [line[5:].removeprefix(b" ")] if line.startswith(b"data:") else []
        return b"\n".join(self._data + value)

    def _blocks(self, piece: bytes) -> list[bytes]:
        events = []
        blocks = piece.split(b"\n\n")
        rest = blocks.pop()
        for block in blocks:
            if block.startswith(b"data: ") and b"\n" not in block:
                events.append(block[6:])
            else:
                events += self._lines(block + b"\n\n")
        return events + self._lines(rest) if rest else events

    def _lines(self, piece: bytes) -> list[bytes]:
        events = []
        lines = piece.split(b"\n")
        self._hold(lines.pop())
        for line in lines:
            if len(line) > self._limit:
                raise EventTooLong(self._limit)
            if not line:
                if self._data:
                    events.append(b"\n".join(self._data))
                    self._data.clear()
                    self._data_size = 0
            elif line.startswith(b"data"):
                self._take_data(line)
        return events

    def _take_data(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        if name != b"data":
            return
        value = value.removeprefix(b" ")
        self._data_size += len(value) + 1
        if self._data_size > self._limit:
            raise EventTooLong(self._limit)
        self._data.append(value)

    def _hold(self, piece: bytes) -> None:
        if not piece:
            return
        self._tail.append(piece)
        self._tail_size += len(piece)
        if self._tail_size > self._limit:
            raise EventTooLong(self._limit)

    def _with_lf(self, piece: bytes) -> bytes:
        # A CR ends its line at once; the LF that may follow in the next piece is then not a second line end.
        if self._after_cr and piece:
            piece = piece.removeprefix(b"\n")
            self._after_cr = False
        if piece.endswith(b"\r"):
            self._after_cr = True
        return piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _without_bom(self, piece: bytes) -> bytes:
        start = (self._start or b"") + piece
        if len(start) < len(_BOM) and _BOM.startswith(start):
            self._start = start
            return b""
        self._start = None
        return start.removeprefix(_BOM)
