"""The elements of a JSON array, one after the other, out of a file that need not fit into memory.

How this works and why. An export of another product is one array of hundreds of megabytes, and a decoder wants all of
it. Only brackets and strings are looked at here: one regular expression skips whatever lies between two brackets, so
that a step is taken for each bracket and not for each character. What stands between two brackets that belong together
is given on as bytes; whether it is JSON is for the decoder to say.
"""

import re
from collections.abc import Iterator
from typing import IO, Final

import msgspec

from daehwa.transfer.foreign_json import DEPTH

ELEMENT_BYTES: Final = 128 * 1024 * 1024
"""The longest element that is read, and about as much of a file is held at once."""
_CHUNK: Final = 1024 * 1024
_BETWEEN: Final = re.compile(rb'(?:[^"{}\[\]]++|"(?:[^"\\]++|\\.)*+")++', re.DOTALL)
_OPENING: Final = frozenset(b"{[")
_CLOSING: Final = frozenset(b"}]")
_BETWEEN_ELEMENTS: Final = b" \t\r\n,"
_BOM: Final = b"\xef\xbb\xbf"


class FaultyElement(msgspec.Struct, frozen=True):
    """What is no element that can be read; `reason` is a sentence."""

    reason: str


def read_elements(source: IO[bytes]) -> Iterator[bytes | FaultyElement]:
    """Yield the elements of an array; a file that is one object has itself as its only one, and one of several objects
    each of them. One that is too long is passed over, and told. What cannot be gone on with ends it.
    """
    return _Reading(source).elements()


class _Reading:
    """A file as far as it is read. `begun` is where the element that is being read begins, None between elements."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self._held = bytearray()
        self._at = 0
        self._depth = 0
        self._begun: int | None = None
        self._floor = 0
        self._is_too_long = False

    def elements(self) -> Iterator[bytes | FaultyElement]:
        """Yield the elements."""
        self._floor = self._first_bracket()
        while (sign := self._next_sign()) is not None:
            self._at += 1
            if sign in _OPENING:
                if self._depth == self._floor:
                    self._begun, self._is_too_long = self._at - 1, False
                self._depth += 1
            elif sign in _CLOSING:
                self._depth -= 1
                if self._depth < self._floor:
                    self._floor = self._depth = 0  # the array is at its end; another one may follow
                elif self._depth == self._floor:
                    yield self._element()
            else:
                yield FaultyElement("it holds a text that is longer than any can be; what follows was not read")
                return
            if self._depth > DEPTH:
                yield FaultyElement("its brackets stand too deep in one another; what follows was not read")
                return
        if self._depth > 0 or not self._is_at_rest():
            yield FaultyElement("the file is cut off here, or is no JSON: export it again")

    def _first_bracket(self) -> int:
        """Return 1 where the file is an array, whose bracket is passed, else 0."""
        while len(self._held) < len(_BOM) and self._more():
            pass
        if self._held.startswith(_BOM):
            del self._held[: len(_BOM)]
        while not self._held.lstrip():
            self._held.clear()
            if not self._more():
                return 0
        self._at = len(self._held) - len(self._held.lstrip())
        if self._held[self._at] != ord("["):
            return 0
        self._at += 1
        self._depth = 1
        return 1

    def _next_sign(self) -> int | None:
        """Return the next bracket, at which the reading then stands; a quotation mark where a text is too long; None at
        the end.
        """
        while True:
            between = _BETWEEN.match(self._held, self._at)
            if between is not None:
                end, between = between.end(), None  # while it lives, nothing can be added to what is held
                self._at = end
            if self._at < len(self._held) and self._held[self._at] != ord('"'):
                return self._held[self._at]
            if len(self._held) - self._at > ELEMENT_BYTES:
                return ord('"')
            if not self._more():
                return None

    def _more(self) -> bool:
        """Read on, and let go of what is done with."""
        done = self._at if self._begun is None or self._is_too_long else self._begun
        if self._at - done > ELEMENT_BYTES:
            self._is_too_long, done = True, self._at
        del self._held[:done]
        self._at -= done
        if self._begun is not None:
            self._begun = 0
        # As much again as is not understood yet: a long text is looked at a few times, and not once for each piece.
        piece = self._source.read(max(_CHUNK, len(self._held) - self._at))
        self._held += piece
        return bool(piece)

    def _element(self) -> bytes | FaultyElement:
        begun, self._begun = self._begun or 0, None
        if self._is_too_long or self._at - begun > ELEMENT_BYTES:
            self._is_too_long = False
            return FaultyElement(f"it is longer than {ELEMENT_BYTES // 1024**2} MB")
        return bytes(self._held[begun : self._at])

    def _is_at_rest(self) -> bool:
        return not self._held[self._at :].strip(_BETWEEN_ELEMENTS)
