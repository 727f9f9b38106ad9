"""Requests and tokens a minute, for keys that have such limits."""

import logging
from collections.abc import Callable, Iterable
from typing import Literal

import msgspec

from daehwa.accounts.errors import RateExceeded
from daehwa.accounts.keys import ApiKey
from daehwa.accounts.minutes import seconds_left
from daehwa.accounts.ports import RateStore
from daehwa.conversation.errors import DaehwaError
from daehwa.conversation.ids import now_ms
from daehwa.gateway.asking import Weight

_log = logging.getLogger("daehwa")


class Taken(msgspec.Struct, frozen=True):
    """What was counted for a call: tokens of a key, and when; and the headers that say what is left."""

    key: str | None = None
    tokens: int = 0
    at: int = 0
    headers: tuple[tuple[str, str], ...] = ()


NOTHING = Taken()


class Rates:
    """Counts calls before they are made, and corrects the tokens after."""

    def __init__(self, store: RateStore, *, clock: Callable[[], int] = now_ms) -> None:
        self._store = store
        self._clock = clock

    async def take(self, key: ApiKey | None, weight: Weight) -> Taken:
        """Count a call. Raise `RateExceeded`."""
        if key is None:
            return NOTHING
        limits, now = key.limits, self._clock()
        headers: list[tuple[str, str]] = []
        tokens = weight.likely_tokens + (weight.output_limit or 0) * weight.choices
        if limits.requests_per_minute is not None:
            headers += await self._taken("requests", key.id, 1, limits.requests_per_minute, now)
        if limits.tokens_per_minute is None:
            return Taken(headers=tuple(headers))
        headers += await self._taken("tokens", key.id, tokens, limits.tokens_per_minute, now)
        return Taken(key.id, tokens, now, tuple(headers))

    async def _taken(
        self, counted: Literal["requests", "tokens"], key: str, amount: int, limit: int, now: int
    ) -> Iterable[tuple[str, str]]:
        taken = await self._store.take(f"{counted}:{key}", amount, limit, now=now)
        if taken.wait is not None:
            raise RateExceeded(counted, limit, retry_after=taken.wait)
        return rate_headers(counted, limit, taken.left, seconds_left(now))

    def correction(self, taken: Taken) -> "Correction | None":
        """Return what corrects the tokens of a call; None where none are counted."""
        return None if taken.key is None else Correction(self._store, taken)


class Correction:
    """Counts how many tokens a call really took, in place of the estimate: each upstream that was tried for itself."""

    __slots__ = ("_has_ended", "_now", "_store", "_taken")

    def __init__(self, store: RateStore, taken: Taken) -> None:
        self._store = store
        self._taken = taken
        self._now = taken.tokens
        self._has_ended = False

    async def begin(self) -> None:
        """Count the estimate once more where another upstream was tried before, whatever that took."""
        if self._has_ended:
            self._has_ended, self._now = False, 0
            await self._count(self._taken.tokens)

    async def end(self, tokens: int) -> None:
        """Count so many tokens for this try; 0 where it came to nothing. Never raises."""
        self._has_ended = True
        await self._count(tokens)

    async def _count(self, tokens: int) -> None:
        difference, self._now = tokens - self._now, tokens
        if not difference:
            return
        try:
            await self._store.adjust(f"tokens:{self._taken.key}", difference, now=self._taken.at)
        except DaehwaError as error:
            # It is gone in a minute.
            _log.warning("the rate of a key is not corrected: %s", error.message)


def rate_headers(counted: str, limit: int, left: int, seconds: float) -> Iterable[tuple[str, str]]:
    """Return the headers in which OpenAI says how much a minute may have, has left, and when it is over."""
    yield f"x-ratelimit-limit-{counted}", str(limit)
    yield f"x-ratelimit-remaining-{counted}", str(left)
    yield f"x-ratelimit-reset-{counted}", f"{seconds:g}s"
