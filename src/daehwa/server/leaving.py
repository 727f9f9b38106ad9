"""Ends what is done for a client as soon as the client has left."""

import asyncio
from types import TracebackType
from typing import Self

from daehwa.server.asgi import ClientLeftError, Receive, Scope
from daehwa.server.direct import line_of


class EndedWhenLeft:
    """Cancels what is inside when the client leaves, and raises `ClientLeftError` then.

    The request's body has been read, or is so when `after` is set: until then whoever reads it may hear who leaves.

    Our own protocol says that a client has left; under another server a task waits for that.
    """

    __slots__ = ("_after", "_asking", "_has_left", "_line", "_receive", "_watch")

    def __init__(self, scope: Scope, receive: Receive, *, after: asyncio.Event | None = None) -> None:
        self._after = after
        self._line = line_of(scope)
        self._receive = receive
        self._watch: asyncio.Task[None] | None = None
        self._asking: asyncio.Task[None] | None = None
        self._has_left = False

    def __enter__(self) -> Self:
        self._asking = asyncio.current_task()
        if self._line is None:
            self._watch = asyncio.create_task(self._until_left(), name="wait for the client to leave")
        elif self._line.holder.is_gone:
            self._end()
        else:
            self._line.holder.listen(self._end)
        return self

    def let_go(self) -> None:
        """End nothing from now on when the client leaves: what is made goes on without it."""
        self._asking = None
        if self._watch is not None:
            self._watch.cancel()

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._watch is not None:
            self._watch.cancel()
        elif self._line is not None:
            self._line.holder.listen(None)
        asking, self._asking = self._asking, None
        # A cancellation that another one asked for as well goes on its way.
        if self._has_left and asking is not None and asking.uncancel() == 0 and kind is asyncio.CancelledError:
            raise ClientLeftError from None

    def _end(self) -> None:
        if self._line is not None:
            self._line.disconnect()
        if self._asking is not None:
            self._has_left = True
            self._asking.cancel()

    async def _until_left(self) -> None:
        if self._after is not None:
            await self._after.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._end()
