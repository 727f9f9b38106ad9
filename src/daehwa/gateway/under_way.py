"""The calls under way, so that they can be ended, with a sentence and counted as far as they came: all of them by a
server that ends, each before a known time at which its process will be stopped, and those of whoever may not call any
more.
"""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Final, NamedTuple, Self

from daehwa.accounts.errors import AccountDisabled, KeyRevoked
from daehwa.accounts.keys import ApiKey, Caller
from daehwa.conversation.deadline import BEFORE_DEADLINE_SECONDS
from daehwa.conversation.errors import DaehwaError, TimeIsUp
from daehwa.conversation.ids import now_ms
from daehwa.gateway.errors import ShuttingDown

ENDINGS: Final = (ShuttingDown, TimeIsUp, AccountDisabled, KeyRevoked)
"""What a call is ended by."""
_ADVICE = "Ask for a shorter one. Of a stream you have what came by then."


class _Ending(NamedTuple):
    """An end of some calls: of whose, and what is said."""

    is_of: Callable[[Caller], bool]
    fault: Callable[[], DaehwaError]


class CallsUnderWay:
    """Knows the task of each call, from its first byte until its answer has come, or has been streamed."""

    def __init__(self) -> None:
        self._tasks: dict[asyncio.Task[object], _UnderWay] = {}
        self._ending = asyncio.Event()

    def end(self) -> None:
        """End them all now, and refuse those that are still to come."""
        self._ending.set()
        for call in self._tasks.values():
            call.end(ShuttingDown())

    def end_of(self, user: str) -> None:
        """End those of a person who may not come in any more."""
        self._end(_Ending(lambda caller: caller.user.id == user, AccountDisabled))

    def end_with(self, key: ApiKey) -> None:
        """End those made with a key that is revoked."""
        self._end(
            _Ending(lambda caller: caller.key is not None and caller.key.id == key.id, lambda: KeyRevoked(key.name))
        )

    def _end(self, ending: _Ending) -> None:
        for call in self._tasks.values():
            if call.caller is None:
                call.missed = (*call.missed, ending)
            elif ending.is_of(call.caller):
                call.end(ending.fault())

    def one(self, caller: Caller | None = None, *, deadline: int | None = None) -> "_UnderWay":
        """Return what makes a task one of them, the caller's where that is known. It raises one of `ENDINGS` where the
        call is ended, and `ShuttingDown` where the server ended before.

        `deadline` (ms since 1970) is when this process will be stopped, where that is known: some seconds before, it
        raises `TimeIsUp`.
        """
        if deadline is None:
            return _UnderWay(self._tasks, self._ending, caller)
        return _DueUnderWay(self._tasks, self._ending, caller, deadline)


class _UnderWay:
    """One call, while it is under way. No generator: one is held for each stream."""

    __slots__ = ("_ending", "_fault", "_task", "_tasks", "caller", "missed")

    def __init__(
        self, tasks: "dict[asyncio.Task[object], _UnderWay]", ending: asyncio.Event, caller: Caller | None
    ) -> None:
        self.caller = caller
        self.missed: tuple[_Ending, ...] = ()
        """Ends that came before it was known whose call this is."""
        self._tasks = tasks
        self._ending = ending
        self._task: asyncio.Task[object] | None = None
        self._fault: DaehwaError | None = None

    def is_by(self, caller: Caller) -> Caller:
        """Say whose call it is, and return them. Raise what would have ended it, had that been known."""
        self.caller = caller
        for ending in self.missed:
            if ending.is_of(caller):
                raise ending.fault()
        return caller

    def end(self, fault: DaehwaError) -> None:
        """End it, unless something did so already."""
        if self._fault is None and self._task is not None:
            self._fault = fault
            self._task.cancel()

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        if self._ending.is_set() or task is None:
            raise ShuttingDown
        self._task = task
        self._tasks[task] = self
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is None:
            return
        self._tasks.pop(self._task, None)
        # Whoever else cancelled it as well is heard.
        if kind is asyncio.CancelledError and self._fault is not None and self._task.uncancel() == 0:
            raise self._fault from None


class _DueUnderWay(_UnderWay):
    """One call that has to end before a time."""

    __slots__ = ("_deadline", "_timer")

    def __init__(
        self,
        tasks: "dict[asyncio.Task[object], _UnderWay]",
        ending: asyncio.Event,
        caller: Caller | None,
        deadline: int,
    ) -> None:
        super().__init__(tasks, ending, caller)
        self._deadline = deadline
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        super().__enter__()
        left = (self._deadline - now_ms()) / 1000 - BEFORE_DEADLINE_SECONDS
        self._timer = asyncio.get_running_loop().call_later(left, self.end, TimeIsUp(_ADVICE))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        super().__exit__(kind, fault, trace)
