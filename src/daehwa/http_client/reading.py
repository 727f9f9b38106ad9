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


class Sink(Protocol):
    """Where a body goes that is forwarded."""

    def write(self, piece: bytes) -> bool:
        """Take a piece; return False when no more should come until `drained`. Never waits, never raises."""
        ...

    async def drained(self) -> None:
        """Return when more may come, or when whoever reads has left."""
        ...


class Inflater(Protocol):
    """What undoes a compression, as `zlib` has it."""

    @property
    def unconsumed_tail(self) -> bytes:
        """What found no room in the last piece."""
        ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """Return at most so many bytes of what is in `data` and what was left over before."""
        ...


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
    if encoding in _COMPRESSED:
        return zlib.decompressobj(_GZIP_OR_ZLIB)
    if encoding not in _PLAIN:
        raise NotHttp(f"an answer in the encoding “{encoding[:20]}”, which nobody asked for")
    return None


def inflated(known: int, pieces: list[bytes], inflate: Inflater, waiting: int) -> int:
    """Inflate the pieces after the first `known` ones, in place; return how many bytes came of it.

    `waiting` bytes wait already. Raise `NotHttp` where it is too much in all, or not what it was said to be.
    """
    compressed, size = pieces[known:], 0
    del pieces[known:]
    for before in compressed:
        try:
            piece = inflate.decompress(before, max(1, INFLATED_BYTES - waiting - size))
        except zlib.error:
            raise NotHttp from None
        if inflate.unconsumed_tail:
            raise NotHttp("a compressed answer that is far too large")
        if piece:
            pieces.append(piece)
            size += len(piece)
    return size
