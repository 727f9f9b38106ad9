"""One beat for all streams: each waits for it between reads, so that several tokens are read and handed on at once."""

import asyncio

BEAT_SECONDS = 0.03


class Beat:
    """Wakes all who wait, together, at most every `interval` seconds; no timer runs while nobody waits."""

    __slots__ = ("_interval", "_waiting")

    def __init__(self, interval: float = BEAT_SECONDS) -> None:
        self._interval = interval
        self._waiting: list[asyncio.Future[None]] = []

    async def wait(self) -> None:
        """Return at the next beat, at most one interval from now."""
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self._waiting.append(future)
        if len(self._waiting) == 1:
            loop.call_later(self._interval, self._wake)
        await future

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)
