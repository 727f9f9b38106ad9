"""Requests and tokens a minute, for keys that have such limits."""

import logging
from collections.abc import Callable

import msgspec

from daehwa.accounts.errors import RateExceeded
from daehwa.accounts.keys import ApiKey
from daehwa.accounts.ports import RateStore
from daehwa.conversation.errors import DaehwaError
from daehwa.conversation.ids import now_ms
from daehwa.gateway.asking import Weight

_log = logging.getLogger("daehwa")


class Taken(msgspec.Struct, frozen=True):
    """What was counted for a call: tokens of a key, and when."""

    key: str | None = None
    tokens: int = 0
    at: int = 0


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
        if limits.requests_per_minute is not None:
            wait = await self._store.take(f"requests:{key.id}", 1, limits.requests_per_minute, now=now)
            if wait is not None:
                raise _exceeded(f"{limits.requests_per_minute:,} requests", wait)
        if limits.tokens_per_minute is None:
            return NOTHING
        tokens = weight.input_tokens + (weight.output_limit or 0) * weight.choices
        wait = await self._store.take(f"tokens:{key.id}", tokens, limits.tokens_per_minute, now=now)
        if wait is not None:
            raise _exceeded(f"{limits.tokens_per_minute:,} tokens", wait)
        return Taken(key.id, tokens, now)

    async def correct(self, taken: Taken, tokens: int) -> None:
        """Count what it really was, in place of the estimate. What cannot be corrected is gone in a minute."""
        if taken.key is None or tokens == taken.tokens:
            return
        try:
            await self._store.adjust(f"tokens:{taken.key}", tokens - taken.tokens, now=taken.at)
        except DaehwaError as error:
            _log.warning("the rate of a key is not corrected: %s", error.message)


def rate_headers(key: ApiKey | None) -> tuple[tuple[str, str], ...]:
    """Return the headers that name a key's limits."""
    if key is None:
        return ()
    limits = {"requests": key.limits.requests_per_minute, "tokens": key.limits.tokens_per_minute}
    return tuple((f"x-ratelimit-limit-{of}", str(limit)) for of, limit in limits.items() if limit is not None)


def _exceeded(what: str, wait: float) -> RateExceeded:
    return RateExceeded(
        f"This API key may have {what} a minute. Try again in {max(1, round(wait))} seconds.", retry_after=wait
    )
