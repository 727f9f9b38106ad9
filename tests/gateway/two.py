"""A gateway before two real upstreams, which an alias names one after the other."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Self

import msgspec
import pytest
from gateway.bed import OWNER, RememberingMeter
from upstream import Answer, FakeUpstream, Step, frame, stream

from daehwa.accounts.keys import Caller
from daehwa.gateway.answers import Answer as GatewayAnswer
from daehwa.gateway.answers import Streaming
from daehwa.gateway.asking import JsonAsked
from daehwa.gateway.calls import Gateway
from daehwa.gateway.idempotency import OnceOnly
from daehwa.gateway.ports import KeptAnswer
from daehwa.gateway.rates import Rates
from daehwa.providers.catalogue import Catalogue
from daehwa.providers.openai_wire import OpenAIWireProvider
from daehwa.providers.routes import ModelRoute, RouteTarget
from daehwa.providers.upstream import Patience, Upstream
from daehwa.stores.memory_answers import MemoryAnswers
from daehwa.stores.memory_rates import MemoryRates

GOOD = Answer(stream("Hello there."))
PATIENCE = Patience(first_byte=0.1, idle=1.0)
FAST = ModelRoute("fast", (RouteTarget("one/gpt-test"), RouteTarget("two/gpt-test")))
COMMENT = b": OPENROUTER PROCESSING\n\n"
OVERLOADED = frame({"error": {"message": "Overloaded.", "code": 502}})
SLOW: list[Step] = [COMMENT, 0.08, COMMENT, 0.08]
"""Comments for longer than they are kept back."""


async def ends_as_its_caller_leaves(two: "Two", asking: asyncio.Task[Any], first: FakeUpstream, after: float) -> None:
    """Leave a call so many seconds after its first upstream has it: that one is left, and no other one is asked."""
    request = await first.turn()
    await asyncio.sleep(after)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    async with asyncio.timeout(30):
        await request.closed.wait()
    assert [state.calls for state in two.catalogue.upstreams()] == [0, 0]


class Two:
    """A gateway before two upstreams, which an alias names in this order."""

    def __init__(
        self,
        first: FakeUpstream,
        second: FakeUpstream,
        *,
        max_concurrent: int | None = None,
        comment_seconds: float = 0.05,
    ) -> None:
        self.meter = RememberingMeter()
        self.once = OnceOnly(MemoryAnswers(), wait_seconds=0.1)
        providers = [
            OpenAIWireProvider(
                Upstream(name="one", base_url=first.base_url, patience=PATIENCE, max_concurrent=max_concurrent)
            ),
            OpenAIWireProvider(Upstream(name="two", base_url=second.base_url, patience=PATIENCE)),
        ]
        self.catalogue = Catalogue(providers, routes=[FAST])
        self.gateway = Gateway(
            self.catalogue, self.meter, Rates(MemoryRates()), self.once, comment_seconds=comment_seconds
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.catalogue.aclose()

    async def ask(self, *, streamed: bool = True, key: str | None = None) -> GatewayAnswer:
        body = msgspec.json.encode(
            {"model": "fast", "stream": streamed, "messages": [{"role": "user", "content": "?"}]}
        )
        return await self.gateway.ask(Caller(user=OWNER), JsonAsked("chat/completions", body), idempotency_key=key)


async def whole(answer: GatewayAnswer) -> bytes:
    if isinstance(answer, KeptAnswer):
        return answer.body
    try:
        return b"".join([piece async for piece in _pieces(answer)])
    finally:
        await answer.aclose()


async def _pieces(answer: Streaming) -> AsyncIterator[bytes]:
    while piece := await answer.read():
        yield piece
