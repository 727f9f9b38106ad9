"""What the home on AWS does every hour: goes on with deletions that were cut off, and removes for good what is over.

How this works and why. A home that lives on does this by a timer. On Lambda a process stands still as soon as an answer
has ended and may never wake again, so AWS's own clock sends an event each hour, and all of it is done before that is
answered. Nothing is remembered between two hours: what is removed is gone, and the next one finds the rest.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from daehwa.accounts.erasure import Erasure
from daehwa.conversation.archive_ports import KeptConversations
from daehwa.conversation.errors import DaehwaError
from daehwa.conversation.ids import now_ms
from daehwa.conversation.purging import DAY_MS, RESTORABLE_MS

LONGEST_CALL_MS = 15 * 60_000
"""Nothing that a function began runs longer: Lambda ends it. What began before that was cut off."""
AT_ONCE = 500
"""So many deleted conversations are asked for at once."""

_log = logging.getLogger("daehwa")


class HourlyHousekeeping:
    """Knows what is due. `retention` tells after how many days without a new turn a conversation goes, None: never."""

    def __init__(
        self,
        store: KeptConversations,
        erasure: Erasure,
        retention: Callable[[], Awaitable[int | None]],
        *,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._store = store
        self._erasure = erasure
        self._retention = retention
        self._clock = clock

    async def keep_house(self, seconds: float) -> None:
        """Do what is due, for so many seconds at most. A step that fails keeps none of the others from its work."""
        try:
            async with asyncio.timeout(seconds):
                for step in (self._erase, self._sweep, self._purge_deleted, self._purge_untouched):
                    try:
                        await step()
                    except DaehwaError as error:
                        _log.warning("housekeeping waits: %s", error.message)
        except TimeoutError:
            _log.info("housekeeping takes longer than there is time, and goes on in an hour")

    async def _erase(self) -> None:
        if people := await self._erasure.resume(before=self._clock() - LONGEST_CALL_MS):
            _log.info("housekeeping: deletions of people that were cut off and are done now: %d", people)

    async def _sweep(self) -> None:
        await self._erasure.sweep(before=self._clock() - LONGEST_CALL_MS)

    async def _purge_deleted(self) -> None:
        before = self._clock() - RESTORABLE_MS
        while await self._store.purge_deleted(before=before, limit=AT_ONCE):
            pass

    async def _purge_untouched(self) -> None:
        if (days := await self._retention()) is None:
            return
        await self._store.purge_untouched(before=self._clock() - days * DAY_MS)
