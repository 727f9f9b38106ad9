"""One beat for all streams: each waits for it between reads, so that several tokens are read and handed on at once.

The more streams wait, the longer the beat: one answer is shown every 31 ms as it grows, and of twenty at once each is
every 50. What a token costs is mostly what its frame costs, and words that come 20 times a second still flow.
"""

import asyncio
from typing import Final

SHORTEST_SECONDS: Final = 0.03
LONGEST_SECONDS: Final = 0.05
_SECONDS_A_STREAM: Final = 0.001


class Beat:
    """Wakes all who wait, together; no timer runs while nobody waits. Each of them makes the next beat a little longer,
    from `shortest` to `longest` seconds.
    """

    __slots__ = ("_longest", "_shortest", "_waiting", "seconds")

    def __init__(self, shortest: float = SHORTEST_SECONDS, longest: float = LONGEST_SECONDS) -> None:
        self._shortest = shortest
        self._longest = longest
        self.seconds = shortest
        """How long the next beat is."""
        self._waiting: list[asyncio.Future[None]] = []

    async def wait(self) -> None:
        """Return at the next beat, at most `longest` seconds from now."""
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self._waiting.append(future)
        if len(self._waiting) == 1:
            loop.call_later(self.seconds, self._wake)
        await future

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        self.seconds = min(self._longest, self._shortest + _SECONDS_A_STREAM * len(waiting))
        for future in waiting:
            if not future.done():
                future.set_result(None)
