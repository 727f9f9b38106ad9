"""Those who follow a turn in flight: what each has been told, and how they hear of what is new.

How this works and why. A follower either asks for what is new (`follow`), which takes a turn of the event loop and a
step of its task each time, or gives a sink (`forward`): then the news is written in the very call in which the reply
grew, and its task sleeps until the sink is full or the turn is over. What a sink raises ends its follower alone: no
follower may end a turn. Nothing here outlives its follower: a turn that has ended is not kept by a circle of its own.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol, TypeAlias

from daehwa.conversation.events import Heartbeat, Numbered, ReplyEnded, UsageReported
from daehwa.conversation.messages import Message

Batch: TypeAlias = list[Numbered]


class News(Protocol):
    """What a turn tells its followers."""

    def new_to(self, told: "Told") -> Batch:
        """Return what is new to one of them, and note it as told."""
        ...

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        ...


class BatchSink(Protocol):
    """Where the events of a reply go as they come."""

    def write(self, batch: Batch) -> bool:
        """Take a batch; return False when no more should come until `drained`. Never waits."""
        ...

    async def drained(self) -> None:
        """Return when more may come, or when whoever reads has left."""
        ...


class Told:
    """How far one follower has been told: the position, and whether it knows the end and the title."""

    __slots__ = ("end", "position", "title")

    def __init__(self, position: int) -> None:
        self.position = position
        self.end = self.title = False


class Followers:
    """All who follow one turn."""

    __slots__ = ("_forwardings", "_waiters")

    def __init__(self) -> None:
        self._waiters: set[asyncio.Future[bool]] = set()
        self._forwardings: set[_Forwarding] = set()

    async def follow(self, news: News, after: int) -> AsyncIterator[Batch]:
        """Yield everything after position `after` in batches until it is over."""
        told = Told(after)
        while True:
            if batch := news.new_to(told):
                yield batch
            elif news.is_over:
                return
            elif not await self._changed():
                yield _sign_of_life(told)

    async def forward(self, news: News, after: int, sink: BatchSink) -> None:
        """Write the same into `sink`, each batch within the call in which it comes. Raise what the sink raises."""
        forwarding = _Forwarding(news, after, sink)
        self._forwardings.add(forwarding)
        try:
            await forwarding.run()
        finally:
            self._forwardings.discard(forwarding)

    def tell(self, *, changed: bool) -> None:
        """Let all hear what is new, or, where nothing has `changed`, that all is well."""
        for forwarding in tuple(self._forwardings):
            forwarding.pour(changed=changed)
        waiters, self._waiters = self._waiters, set()
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(changed)

    async def _changed(self) -> bool:
        waiter: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            return await waiter
        finally:
            self._waiters.discard(waiter)


class _Forwarding:
    """One follower that has a sink."""

    __slots__ = ("_fault", "_is_full", "_news", "_sink", "_told", "_waiter")

    def __init__(self, news: News, after: int, sink: BatchSink) -> None:
        self._told = Told(after)
        self._sink = sink
        self._news = news
        self._is_full = False
        self._fault: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None

    def pour(self, *, changed: bool) -> None:
        """Write what is new, or a sign of life where nothing has `changed`; nothing while the sink is full."""
        if self._is_full or self._fault is not None:
            return
        batch = self._news.new_to(self._told)
        if not batch and not changed:
            batch = _sign_of_life(self._told)
        try:
            self._is_full = bool(batch) and not self._sink.write(batch)
        except Exception as fault:  # noqa: BLE001 - the edge of a follower: it is raised to that one
            self._fault = fault
        if self._is_full or self._fault is not None or self._news.is_over:
            self._wake()

    async def run(self) -> None:
        """Write until it is over. Raise what the sink raises."""
        self.pour(changed=True)
        while True:
            if self._fault is not None:
                raise self._fault
            if self._is_full:
                await self._sink.drained()
                self._is_full = False
                self.pour(changed=True)
            elif self._news.is_over:
                return
            else:
                self._waiter = asyncio.get_running_loop().create_future()
                await self._waiter

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def _sign_of_life(told: Told) -> Batch:
    return [Numbered(told.position, Heartbeat())]


def end_events(message: Message, position: int) -> Batch:
    """Return what says, at this position, that a reply has ended, and how."""
    ended = Numbered(position, ReplyEnded(status=message.status, finish=message.finish, error=message.error))
    if message.usage is None:
        return [ended]
    return [Numbered(position, UsageReported(message.usage)), ended]
