"""The calls under way, so that a server that ends can end them: with a sentence, and counted as far as they came."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from daehwa.gateway.errors import ShuttingDown


class CallsUnderWay:
    """Knows the task of each call, from its first byte until its answer has come, or has been streamed."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[object]] = set()
        self._ending = asyncio.Event()

    def end(self) -> None:
        """End them all now, and refuse those that are still to come."""
        self._ending.set()
        for task in self._tasks:
            task.cancel()

    @asynccontextmanager
    async def one(self) -> AsyncGenerator[None, None]:
        """Be one of them. Raise `ShuttingDown` where the server ends, before or meanwhile."""
        task = asyncio.current_task()
        if self._ending.is_set() or task is None:
            raise ShuttingDown
        self._tasks.add(task)
        try:
            yield
        except asyncio.CancelledError:
            # Whoever else cancelled it as well is heard.
            if self._ending.is_set() and task.uncancel() == 0:
                raise ShuttingDown from None
            raise
        finally:
            self._tasks.discard(task)
