"""Ends what is done for a client as soon as the client has left."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from daehwa.server.asgi import ClientLeftError, Receive


@contextlib.asynccontextmanager
async def ended_when_left(receive: Receive) -> AsyncIterator[None]:
    """Cancel what is inside when the client leaves, and raise `ClientLeftError` then. The request's body is read."""
    asking = asyncio.current_task()
    if asking is None:
        raise RuntimeError("A request is answered in a task.")
    is_over = False
    watch = asyncio.create_task(_until_left(receive), name="wait for the client to leave")

    def end(ended: asyncio.Task[None]) -> None:
        if not is_over and not ended.cancelled():
            asking.cancel()

    watch.add_done_callback(end)
    try:
        yield
    except asyncio.CancelledError:
        if watch.done() and not watch.cancelled() and asking.uncancel() == 0:
            raise ClientLeftError from None
        raise
    finally:
        is_over = True
        watch.cancel()


async def _until_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
