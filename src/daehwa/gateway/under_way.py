"""The calls under way, so that a server that ends can end them: with a sentence, and counted as far as they came."""

import asyncio
from types import TracebackType

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

    def one(self) -> "_UnderWay":
        """Return what makes a task one of them. It raises `ShuttingDown` where the server ends, before or meanwhile."""
        return _UnderWay(self._tasks, self._ending)


class _UnderWay:
    """One call, while it is under way. No generator: one is held for each stream."""

    __slots__ = ("_ending", "_task", "_tasks")

    def __init__(self, tasks: set[asyncio.Task[object]], ending: asyncio.Event) -> None:
        self._tasks = tasks
        self._ending = ending
        self._task: asyncio.Task[object] | None = None

    def __enter__(self) -> None:
        task = asyncio.current_task()
        if self._ending.is_set() or task is None:
            raise ShuttingDown
        self._task = task
        self._tasks.add(task)

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is None:
            return
        self._tasks.discard(self._task)
        # Whoever else cancelled it as well is heard.
        if kind is asyncio.CancelledError and self._ending.is_set() and self._task.uncancel() == 0:
            raise ShuttingDown from None
