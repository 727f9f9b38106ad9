"""What a server on one machine does now and then: interrupts what nobody makes any more, removes what is over."""

import asyncio
import logging
from collections.abc import Awaitable, Iterator
from typing import Protocol

from daehwa.accounts.erasure import Erasure
from daehwa.accounts.people_ports import PeopleStores
from daehwa.accounts.ports import AccountStore
from daehwa.conversation.archive_ports import KeptConversations
from daehwa.conversation.errors import DaehwaError
from daehwa.conversation.ids import now_ms
from daehwa.conversation.purging import DAY_MS, RESTORABLE_MS
from daehwa.conversation.running import RunningTurns

SWEEP_SECONDS = 30.0
SWEEPS_PER_PURGE = 20

_log = logging.getLogger("daehwa")


class Kept(Protocol):
    """What of the services has to be looked after."""

    store: KeptConversations
    accounts: AccountStore
    people: PeopleStores
    running: RunningTurns
    erasure: Erasure

    async def retention_days(self) -> int | None:
        """Return after how many days without a new turn a conversation goes, None: never."""
        ...


async def keep_house(services: Kept) -> None:
    """Now and then interrupt what other processes left growing and remove what was deleted: one slow timer.

    A step that fails is logged, keeps none of the others from its work, and is tried again when its time comes.
    """
    sweeps, is_resumed = 0, False
    while True:
        if not is_resumed:  # as soon as it can be, and no more: an admin may be deleting somebody later on
            is_resumed = await _is_done(services.erasure.resume())
        for step in _steps(services, sweeps):
            await _is_done(step)
        sweeps += 1
        await asyncio.sleep(SWEEP_SECONDS)


async def _is_done(step: Awaitable[object]) -> bool:
    (outcome,) = await asyncio.gather(step, return_exceptions=True)
    if isinstance(outcome, DaehwaError):
        _log.warning("housekeeping waits: %s", outcome.message)
    elif isinstance(outcome, BaseException):
        _log.error("a step of housekeeping failed in a way that is not announced", exc_info=outcome)
    return not isinstance(outcome, BaseException)


def _steps(services: Kept, sweeps: int) -> Iterator[Awaitable[object]]:
    """Yield what is due, each when the one before it is over."""
    if sweeps % SWEEPS_PER_PURGE == 0:
        now = now_ms()
        yield services.store.purge_deleted(before=now - RESTORABLE_MS)
        yield _purge_untouched(services, now)
        yield services.accounts.purge_expired(now=now)
        yield services.people.links.purge_expired(now=now)
    yield services.running.interrupt_stale()


async def _purge_untouched(services: Kept, now: int) -> None:
    """Remove for good what is kept no longer."""
    if (days := await services.retention_days()) is not None:
        await services.store.purge_untouched(before=now - days * DAY_MS)
