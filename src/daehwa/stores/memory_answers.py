"""Answers kept for idempotency keys, in memory."""
# ruff: noqa: D102 - what the methods do is written once, on the protocol

import zlib
from typing import Literal

import msgspec

from daehwa.gateway.errors import AnswerTooLarge, IdempotencyKeyReused
from daehwa.gateway.ports import KeptAnswer

_CLAIM_MS = 15 * 60_000
_KEPT_MS = 24 * 3_600_000
_LARGEST = 256 * 1024
_MOST = 10_000


class _Kept(msgspec.Struct):
    fingerprint: str
    until: int
    answer: KeptAnswer | Literal["large"] | None = None


class MemoryAnswers:
    """An `AnswerStore` of one process. No method awaits, so each is one transaction."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], _Kept] = {}

    async def claim(
        self, caller: str, key: str, fingerprint: str, *, now: int
    ) -> KeptAnswer | Literal["new", "running"]:
        known = self._kept.get((caller, key))
        if known is None or known.until <= now:
            if len(self._kept) >= _MOST:
                self._kept = {name: kept for name, kept in self._kept.items() if kept.until > now}
            self._kept[caller, key] = _Kept(fingerprint, now + _CLAIM_MS)
            return "new"
        if known.fingerprint != fingerprint:
            raise IdempotencyKeyReused
        if known.answer == "large":
            raise AnswerTooLarge
        return "running" if known.answer is None else known.answer

    async def keep(self, caller: str, key: str, answer: KeptAnswer, *, now: int) -> None:
        known = self._kept.get((caller, key))
        if known is not None:
            known.answer = answer if len(zlib.compress(answer.body)) <= _LARGEST else "large"
            known.until = now + _KEPT_MS

    async def release(self, caller: str, key: str) -> None:
        self._kept.pop((caller, key), None)
