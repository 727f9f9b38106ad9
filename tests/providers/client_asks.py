"""Asking an upstream through the client alone, and waiting until it has come to rest."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from daehwa.conversation.errors import ProviderError
from daehwa.providers.upstream_client import UpstreamClient
from daehwa.providers.upstream_faults import UpstreamFault


async def upstream_fault_of(asked: Awaitable[object]) -> ProviderError:
    """Return the error of what must fail."""
    with pytest.raises(UpstreamFault) as caught:
        await asked
    return caught.value.error


async def body_of(client: UpstreamClient) -> bytes:
    """Ask for the list of models and return it unread."""
    stream = await client.get("models")
    try:
        return await stream.body()
    finally:
        stream.close()


async def settled(is_so: Callable[[], bool]) -> None:
    """Wait until it is so, half a minute at most."""
    async with asyncio.timeout(30):
        while not is_so():  # noqa: ASYNC110 - sockets and collections set no events
            await asyncio.sleep(0.001)
