"""The event loop of a server: uvloop's where that is installed, else asyncio's own.

uvloop turns the loop in C, which takes nearly half of the steps out of each relayed piece and a quarter out of a call
(docs/decisions/0033-steps-of-a-relayed-call.md). It is an extra: it is larger than all the rest, and Windows has none.
"""

import asyncio
from collections.abc import Callable


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """Return what makes the loop."""
    try:
        from uvloop import new_event_loop  # noqa: PLC0415 - an extra
    except ImportError:
        return asyncio.new_event_loop
    return new_event_loop
