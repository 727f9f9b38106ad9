"""Counts of a minute in memory."""
# ruff: noqa: D102 - what the methods do is written once, on the protocol

_MINUTE_MS = 60_000
_MOST_SCOPES = 10_000


class MemoryRates:
    """A `RateStore` whose minutes are those of the clock. No method awaits, so each is one transaction."""

    def __init__(self) -> None:
        self._counts: dict[str, tuple[int, int]] = {}

    async def take(self, scope: str, amount: int, limit: int, *, now: int) -> float | None:
        minute, count = now // _MINUTE_MS, self._count(scope, now)
        if count and count + amount > limit:
            return ((minute + 1) * _MINUTE_MS - now) / 1000
        if len(self._counts) >= _MOST_SCOPES:
            self._counts = {name: kept for name, kept in self._counts.items() if kept[0] == minute}
        self._counts[scope] = minute, count + amount
        return None

    async def adjust(self, scope: str, difference: int, *, now: int) -> None:
        self._counts[scope] = now // _MINUTE_MS, max(0, self._count(scope, now) + difference)

    def _count(self, scope: str, now: int) -> int:
        minute, count = self._counts.get(scope, (0, 0))
        return count if minute == now // _MINUTE_MS else 0
