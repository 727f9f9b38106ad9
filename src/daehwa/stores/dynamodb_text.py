"""A message's text as it lies in the table: one compressed stream in pieces, which grows at its end. Pure.

How this works and why. A message's parts are the one codec's JSON, compressed as one stream: what comes later takes
less for what came before. The last piece stands in the message's own item, its head. Text only grows at its end, so an
earlier piece never changes: it is written once, under a name made of its content, and the head lists the names. So no
item comes near 400 KB, and a reader who finds a head finds what it names. The first pieces fill the kilobyte that one
unit of writing pays, and one is cut off when the head would take more than that: a checkpoint of most replies costs one
unit, however far they have grown, and each kilobyte of text one more, once. Later pieces are larger, for what is that
long is seldom and should not be thousands of items.
"""

import hashlib
import zlib
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from daehwa.conversation.messages import Part
from daehwa.stores.records import encode_parts

LAST_BYTES: Final = 740
"""Of the last piece, compressed: the rest of a head is about 270 bytes."""
SMALL_PIECE_BYTES: Final = 900
"""Of an earlier piece, compressed: its keys are 97 bytes."""
PIECE_BYTES: Final = 16_384
"""Of a later piece, and the most of an earlier one, before it is compressed."""
SMALL_PIECES: Final = 12
_END_BYTES: Final = 16
"""What stays in the last piece at least: the JSON's own end, which is not the text's."""


class Text(msgspec.Struct, frozen=True):
    """A text in pieces: the last one, the names of all earlier ones, and those of them that are still to be stored."""

    last: bytes
    earlier: tuple[str, ...]
    new: Mapping[str, bytes]


class GrowingText:
    """The text of one message while it grows. Remembers where it was cut, and which pieces are stored."""

    def __init__(self) -> None:
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._stream = zlib.compressobj()
        self._cut_off = b""
        self._earlier: list[str] = []
        self._new: dict[str, bytes] = {}

    def grown_to(self, parts: Iterable[Part]) -> Text:
        """Return parts in pieces. What does not go on from the parts before is cut anew."""
        whole = encode_parts(parts)
        if not whole.startswith(self._cut_off):
            self._begin_anew()
        while cut := self._cut(whole[len(self._cut_off) :]):
            rest = whole[len(self._cut_off) : len(self._cut_off) + cut]
            piece = self._stream.compress(rest) + self._stream.flush(zlib.Z_SYNC_FLUSH)
            name = f"{len(self._earlier):03d}-{hashlib.blake2b(piece, digest_size=5).hexdigest()}"
            self._earlier.append(name)
            self._new[name] = piece
            self._cut_off += rest
        return Text(self._end(whole[len(self._cut_off) :]), tuple(self._earlier), dict(self._new))

    def is_stored(self, pieces: Iterable[str]) -> None:
        """Remember that pieces are stored."""
        for name in pieces:
            self._new.pop(name, None)

    def _cut(self, rest: bytes) -> int:
        """Return how much of the rest becomes a piece of its own, 0 where it can be the last."""
        is_small = len(self._earlier) < SMALL_PIECES
        if len(rest) <= (LAST_BYTES if is_small else PIECE_BYTES):
            return 0
        if not is_small:
            return min(len(rest) - _END_BYTES, PIECE_BYTES)
        if len(rest) <= PIECE_BYTES and len(self._end(rest)) <= LAST_BYTES:
            return 0
        most = min(len(rest) - _END_BYTES, PIECE_BYTES)
        if len(self._end(rest[:most])) <= SMALL_PIECE_BYTES:
            return most
        fewest = SMALL_PIECE_BYTES // 2
        while most - fewest > 1:
            middle = (fewest + most) // 2
            if len(self._end(rest[:middle])) <= SMALL_PIECE_BYTES:
                fewest = middle
            else:
                most = middle
        return fewest

    def _end(self, rest: bytes) -> bytes:
        """Return what ends the stream here; it can go on all the same."""
        stream = self._stream.copy()
        return stream.compress(rest) + stream.flush()


def in_pieces(parts: Iterable[Part]) -> Text:
    """Return parts that do not grow in pieces."""
    return GrowingText().grown_to(parts)


def joined(pieces: Iterable[bytes]) -> str:
    """Return the JSON of parts out of all their pieces in order."""
    return zlib.decompress(b"".join(pieces)).decode()
