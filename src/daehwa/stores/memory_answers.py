"""Kept answers in memory, for tests and trials."""
# ruff: noqa: D102 - what the methods do is written once, on the protocol

from typing import Literal

from daehwa.gateway.ports import KeptAnswer
from daehwa.stores.answers import CLAIM_MS, KEPT_MS, claimed, packed


class _Claim:
    __slots__ = ("answer", "expires", "fingerprint")

    def __init__(self, fingerprint: str, expires: int) -> None:
        self.fingerprint = fingerprint
        self.expires = expires
        self.answer: bytes | None = None

    @property
    def goes(self) -> int:
        """When it may go."""
        return self.expires + KEPT_MS if self.answer is None else self.expires


class MemoryAnswers:
    """An `AnswerStore` that keeps everything in a dictionary. What is over goes when something is claimed, a claim
    without an answer a day later: its answer may still come.
    """

    def __init__(self) -> None:
        self._claims: dict[tuple[str, str], _Claim] = {}

    async def claim(
        self, caller: str, key: str, fingerprint: str, *, now: int
    ) -> KeptAnswer | Literal["new", "running"]:
        for over in [name for name, claim in self._claims.items() if claim.goes <= now]:
            del self._claims[over]
        known = self._claims.get((caller, key))
        if known is None or known.expires <= now:
            self._claims[caller, key] = _Claim(fingerprint, now + CLAIM_MS)
            return "new"
        return claimed(known.fingerprint, fingerprint, known.answer) or "running"

    async def keep(self, caller: str, key: str, answer: KeptAnswer, *, began: int, now: int) -> None:
        text = await packed(answer)
        if (claim := self._claim(caller, key, began)) is not None:
            claim.answer, claim.expires = text, now + KEPT_MS

    async def release(self, caller: str, key: str, *, began: int) -> None:
        if self._claim(caller, key, began) is not None:
            del self._claims[caller, key]

    async def forget(self, user: str) -> None:
        for caller, key in list(self._claims):
            if caller.partition("/")[0] == user:
                del self._claims[caller, key]

    def _claim(self, caller: str, key: str, began: int) -> _Claim | None:
        """Return the claim that was made then, unless it has its answer."""
        claim = self._claims.get((caller, key))
        return claim if claim is not None and claim.answer is None and claim.expires == began + CLAIM_MS else None
