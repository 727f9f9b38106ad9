"""Removing for good what was deleted, or is kept no longer, where nothing runs between requests.

How this works and why. A home that lives on does this by a timer. On Lambda a process stands still as soon as an answer
has ended and may never wake again: a timer there would not go off, and what is begun after the answer would not come to
its end. So a little of it is done before the end of requests that have to do with it: whoever deletes a conversation,
or asks for the list of them. It is seldom, little, short, and never their fault.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from daehwa.conversation.errors import DaehwaError
from daehwa.conversation.ids import now_ms
from daehwa.conversation.ports import ConversationStore

DAY_MS = 24 * 60 * 60 * 1000
RESTORABLE_MS = 10 * 60_000
"""For how long a deletion can be undone."""
SELDOM_MS = 10 * 60_000
AT_ONCE = 3
PATIENCE_SECONDS = 2.0
"""How long somebody waits for this at most. What is not done by then is gone on with the next time."""

_log = logging.getLogger("daehwa")


class PurgeInPassing:
    """Removes a few conversations, at most once in ten minutes in a process. `retention` tells after how many days
    without a new turn a conversation is to be removed too, None: never.
    """

    def __init__(
        self,
        store: ConversationStore,
        *,
        retention: Callable[[], Awaitable[int | None]] | None = None,
        clock: Callable[[], int] = now_ms,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._store = store
        self._retention = retention
        self._clock = clock  # the wall's: others stand still with the process
        self._patience = patience
        self._last: int | None = None

    async def remove_some(self) -> None:
        """Remove some of what cannot be restored any more, if it is time. A failure is logged, and no matter."""
        now = self._clock()
        if self._last is not None and now - self._last < SELDOM_MS:
            return
        self._last = now
        try:
            async with asyncio.timeout(self._patience):
                await self._store.purge_deleted(before=now - RESTORABLE_MS, limit=AT_ONCE)
                days = None if self._retention is None else await self._retention()
                if days is not None:
                    await self._store.purge_untouched(before=now - days * DAY_MS, limit=AT_ONCE)
        except TimeoutError:
            _log.info("removing deleted conversations takes long, and goes on another time")
        except DaehwaError as error:
            _log.warning("removing deleted conversations waits: %s", error.message)
