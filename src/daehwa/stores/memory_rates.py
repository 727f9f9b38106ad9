"""What happens in a minute, counted in memory: all that a home needs that one process serves."""
# ruff: noqa: D102 - what the methods do is written once, on the protocol

from daehwa.accounts.minutes import MINUTE_MS, seconds_left
from daehwa.accounts.ports import RateTaken


class MemoryRates:
    """A `RateStore` of the minute that runs, by the clock; of minutes before it nothing is kept."""

    def __init__(self) -> None:
        self._minute = 0
        self._counts: dict[str, int] = {}

    async def take(self, scope: str, amount: int, limit: int, *, now: int) -> RateTaken:
        minute = now // MINUTE_MS
        if minute != self._minute:  # a clock that was put back begins anew as well
            self._minute, self._counts = minute, {}
        counted = self._counts.get(scope, 0)
        if counted and counted + amount > limit:
            return RateTaken(0, seconds_left(now))
        self._counts[scope] = counted + amount
        return RateTaken(max(0, limit - counted - amount))

    async def adjust(self, scope: str, difference: int, *, now: int) -> None:
        if now // MINUTE_MS == self._minute and scope in self._counts:
            self._counts[scope] = max(0, self._counts[scope] + difference)
