"""Reading an answer: what the kernel copies into, and where a body goes that nobody waits for piece by piece."""

import os
import select
import threading
import zlib
from typing import Protocol

from daehwa.http_client.errors import NotHttp

READ_BYTES = 64 * 1024
"""So much is read at once: of 128 KB and more malloc asks the kernel each time, a third of all that a token costs."""

INFLATED_BYTES = 16 * 1024 * 1024
"""So much of a compressed answer may wait unread."""

_PLAIN = frozenset({"", "identity"})
_COMPRESSED = frozenset({"gzip", "x-gzip", "deflate"})
_GZIP_OR_ZLIB = 47
_GZIP_BEGINS = b"\x1f"
_MOST_MEMBERS = 1000  # in one read: each takes a copy of all that was read with it


class Sink(Protocol):
    """Where a body goes that is forwarded."""

    def write(self, piece: bytes) -> bool:
        """Take a piece; return False when no more should come until `drained`. Never waits, never raises."""
        ...

    async def drained(self) -> None:
        """Return when more may come, or when whoever reads has left."""
        ...


class Inflater:
    """Undoes gzip, of several members too (RFC 1952), and zlib. What follows a whole one and is no other is ignored, as
    clients do: some servers fill up with line ends or zeros.
    """

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP_OR_ZLIB)
        self._has_begun = False

    @property
    def is_whole(self) -> bool:
        """Whether what has come ends where a member does; nothing at all is whole too."""
        return not self._has_begun or self._member.eof

    def inflate(self, data: bytes, most: int) -> bytes:
        """Return what is in `data`, at most about `most` bytes. Raise `NotHttp` where it is more, or no such data."""
        pieces: list[bytes] = []
        while data:
            if self._member.eof:
                if not data.startswith(_GZIP_BEGINS):
                    break
                if len(pieces) >= _MOST_MEMBERS:
                    raise NotHttp("a compressed answer in far too many parts")
                self._member = zlib.decompressobj(_GZIP_OR_ZLIB)
            self._has_begun = True
            try:
                pieces.append(self._member.decompress(data, max(1, most)))
            except zlib.error:
                raise NotHttp from None
            if self._member.unconsumed_tail:
                raise NotHttp("a compressed answer that is far too large")
            most -= len(pieces[-1])
            data = self._member.unused_data
        return b"".join(pieces)


class Landing(threading.local):
    """What the kernel copies into, one for all connections of a thread: asyncio hands it on before it reads again."""

    def __init__(self) -> None:
        self.buffer = memoryview(bytearray(READ_BYTES))


landing = Landing()


def has_unread(descriptor: int) -> bool:
    """Whether something waits in the kernel to be read from a socket, its end too."""
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    return bool(waiting.poll(0))


def read_now(descriptor: int) -> bytes:
    """Return what waits in the kernel, empty at the end and where nothing is there yet. Raise `OSError`."""
    try:
        return os.read(descriptor, READ_BYTES)
    except (BlockingIOError, InterruptedError):
        return b""


class FellSilent(Exception):  # noqa: N818 - errors state the fact
    """Whoever watches over the reading has seen nothing come for too long."""


def inflater(encoding: str) -> Inflater | None:
    """Return what undoes this encoding, None where there is nothing to undo. Raise `NotHttp` on one not known."""
    name = encoding.lower()
    if name in _PLAIN:
        return None
    if name in _COMPRESSED:
        return Inflater()
    raise NotHttp(f"an answer in the encoding “{name[:20]}”, which nobody asked for")


def inflated(known: int, pieces: list[bytes], inflate: Inflater, waiting: int, *, ends: bool) -> int:
    """Inflate the pieces after the first `known` ones, in place; return how many bytes came of it.

    `waiting` bytes wait already. `ends`: nothing comes after these. Raise `NotHttp` where it is too much in all, or not
    what it was said to be, or cut short.
    """
    compressed, size = pieces[known:], 0
    del pieces[known:]
    for before in compressed:
        piece = inflate.inflate(before, INFLATED_BYTES - waiting - size)
        if piece:
            pieces.append(piece)
            size += len(piece)
    if ends and not inflate.is_whole:
        raise NotHttp("a compressed answer that is cut short")
    return size
