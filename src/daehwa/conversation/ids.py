"""Identifiers: UUIDv7 in its canonical lower-case form (RFC 9562, section 5.7), made by the client."""

import os
import re
import time

from daehwa.conversation.errors import InvalidId

_CANONICAL_UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def new_id() -> str:
    """Return a new UUIDv7: 48 bits of Unix milliseconds, then random bits."""
    return id_of(now_ms(), os.urandom(10))


def id_of(created: int, rest: bytes) -> str:
    """Return the UUIDv7 of a time (ms) and of ten bytes."""
    value = created << 80 | int.from_bytes(rest, "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def checked_id(text: str, param: str) -> str:
    """Return `text` when it is a canonical UUIDv7, else raise `InvalidId` naming the parameter."""
    if not _CANONICAL_UUID7.fullmatch(text):
        raise InvalidId(param)
    return text


def now_ms() -> int:
    """Return the wall clock in milliseconds since the Unix epoch."""
    return time.time_ns() // 1_000_000
