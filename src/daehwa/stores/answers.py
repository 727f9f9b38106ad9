"""Kept answers as bytes, compressed, and back; and what a claim meets. It knows no database."""

import asyncio
import zlib
from typing import Final

import msgspec

from daehwa.gateway.errors import AnswerTooLarge, IdempotencyKeyReused
from daehwa.gateway.ports import KeptAnswer

CLAIM_MS: Final = 15 * 60 * 1000
"""How long a claim lasts to which no answer comes."""
KEPT_MS: Final = 24 * 60 * 60 * 1000
MOST_COMPRESSED: Final = 256 * 1024
TOO_LARGE: Final = b""
"""What is kept of an answer that is too large to be kept."""
_LEVEL: Final = 1
_ON_THE_LOOP: Final = 64 * 1024

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(KeptAnswer)


async def packed(answer: KeptAnswer) -> bytes:
    """Return an answer as it is kept. A long one is compressed in a thread."""
    if len(answer.body) > _ON_THE_LOOP:
        return await asyncio.to_thread(_packed, answer)
    return _packed(answer)


def claimed(known: str, given: str, answer: bytes | None) -> KeptAnswer | None:
    """Return the answer that a claim finds, None while it is being made. `known` and `given` are the fingerprints of
    the request before and of this one. Raise `IdempotencyKeyReused`, `AnswerTooLarge`.
    """
    if known != given:
        raise IdempotencyKeyReused
    if answer is None:
        return None
    if answer == TOO_LARGE:
        raise AnswerTooLarge
    return _decoder.decode(zlib.decompress(answer))


def _packed(answer: KeptAnswer) -> bytes:
    text = zlib.compress(_encoder.encode(answer), _LEVEL)
    return text if len(text) <= MOST_COMPRESSED else TOO_LARGE
