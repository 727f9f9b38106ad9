"""Reaching a name that has several addresses, of which the first may lead nowhere (RFC 8305, “Happy Eyeballs”).

asyncio can do so, but leaves a connection open where it is cancelled in the moment in which one is won. uvloop cannot:
it gives the first address all the time there is. So it is done here, alike for both.
"""

import asyncio
import socket
from collections import deque
from collections.abc import Callable, Coroutine
from itertools import zip_longest
from typing import Any, TypeAlias

from daehwa.http_client.connection import Connection

LEAD_SECONDS = 0.25
"""So long each address has before the next one is tried beside it."""

_SCOPE_AT = 3

Opened: TypeAlias = tuple[asyncio.Transport, Connection]
Open: TypeAlias = Callable[[str], Coroutine[Any, Any, Opened]]
"""Opens a connection to a numeric address. Raise `OSError`."""


async def addresses_of(host: str, port: int) -> list[str]:
    """Return the numeric addresses of a name, IPv6 and IPv4 by turns, as the resolver prefers them. Raise `OSError`."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    preferred = [_numeric(at) for family, *_, at in found if family == found[0][0]]
    others = [_numeric(at) for family, *_, at in found if family != found[0][0]]
    return [one for pair in zip_longest(preferred, others) for one in pair if one is not None]


def _numeric(at: tuple[Any, ...]) -> str:
    """Return an address with its scope where it has one: a link-local one leads nowhere without (RFC 4007)."""
    scope = at[3] if len(at) > _SCOPE_AT else 0
    return f"{at[0]}%{scope}" if scope and "%" not in str(at[0]) else str(at[0])


async def first_reached(addresses: list[str], open_one: Open) -> Opened:
    """Return the first connection that stands; whatever else was begun is given up. Each address after the first is
    tried once the one before has failed, or has had its lead. Raise `OSError` where all have failed.
    """
    waiting, begun = deque(addresses), list[asyncio.Task[Opened]]()
    won: asyncio.Task[Opened] | None = None
    try:
        while won is None and (waiting or not all(task.done() for task in begun)):
            if waiting:
                begun.append(asyncio.create_task(open_one(waiting.popleft())))
            lead = LEAD_SECONDS if waiting else None
            running = [task for task in begun if not task.done()]
            await asyncio.wait(running, timeout=lead, return_when=asyncio.FIRST_COMPLETED)
            won = next((task for task in begun if task.done() and task.exception() is None), None)
    finally:
        for task in begun:
            if task is not won:
                task.cancel()
                task.add_done_callback(_give_up)  # it may stand in this very moment
    if won is not None:
        return won.result()
    faults = [fault for task in begun if (fault := task.exception()) is not None]
    raise next((fault for fault in faults if isinstance(fault, ConnectionRefusedError)), faults[0])


def _give_up(task: asyncio.Task[Opened]) -> None:
    """Close what an attempt came to that nobody wants any more."""
    if not task.cancelled() and task.exception() is None:
        task.result()[0].abort()
