"""Upstreams that play a script: for tests and demos of the gateway. Real targets, without a network.

A script is a function from the request to what is answered: a `ScriptedAnswer`, or an error to raise. Each piece of an
answer is bytes to hand out, seconds to wait, an `asyncio.Event` to wait for, or an error to raise.

It is shipped as the other fakes are (`MemoryStore`, `ScriptedProvider`), although nothing here imports it: so it is
checked with the protocols that it fulfils, and whoever builds on the gateway tests on what its own tests use.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from daehwa.conversation.errors import ModelNotFound, ProviderError
from daehwa.conversation.ports import Model
from daehwa.gateway.ports import Endpoint, Sink, WireRequest

Piece: TypeAlias = bytes | float | asyncio.Event | ProviderError


class ScriptedAnswer:
    """An answer as it is played. `is_closed` says that it was closed before its end, `is_over` that it came to it."""

    def __init__(self, pieces: Iterable[Piece], status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        self.status = status
        self.headers: Mapping[str, str] = headers or {"content-type": "application/json"}
        self.is_over = False
        self.is_closed = False
        self.closed = asyncio.Event()
        self._pieces = iter(pieces)

    async def read(self) -> bytes:
        """Return the next piece of bytes."""
        for piece in self._pieces:
            if isinstance(piece, bytes):
                return piece
            if isinstance(piece, ProviderError):
                raise piece
            if isinstance(piece, asyncio.Event):
                await piece.wait()
            else:
                await asyncio.sleep(piece)
        self.is_over = True
        return b""

    async def forward(self, sink: Sink) -> bytes:
        """Write each piece."""
        while piece := await self.read():
            if not sink.write(piece):
                await sink.drained()
        return b""

    def close(self) -> None:
        """Remember that it was closed."""
        self.is_closed = not self.is_over
        self.closed.set()


Script: TypeAlias = Callable[[WireRequest], ScriptedAnswer | ProviderError]


def as_json(value: object, status: int = 200, **headers: str) -> ScriptedAnswer:
    """Return an answer in one piece of JSON; `_` in a header's name stands for `-`."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return ScriptedAnswer([msgspec.json.encode(value)], status, {"content-type": "application/json", **named})


def as_events(*data: object, done: bool = True) -> ScriptedAnswer:
    """Return an answer as a stream of events, one piece each."""
    pieces = [b"data: " + msgspec.json.encode(each) + b"\n\n" for each in data]
    end = [b"data: [DONE]\n\n"] if done else []
    return ScriptedAnswer([*pieces, *end], 200, {"content-type": "text/event-stream; charset=utf-8"})


def echo(request: WireRequest) -> ScriptedAnswer:
    """Say back the last message of a chat, streamed where that is asked."""
    asked: dict[str, Any] = msgspec.json.decode(request.body if isinstance(request.body, bytes) else b"{}")
    text = f"You said: {(asked.get('messages') or [{'content': 'nothing'}])[-1]['content']}"
    usage = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
    head = {"id": "chatcmpl-1", "created": 1, "model": asked["model"]}
    if not asked.get("stream"):
        message = {"role": "assistant", "content": text}
        choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
        return as_json({**head, "object": "chat.completion", "choices": choices, "usage": usage})
    head["object"] = "chat.completion.chunk"
    chunks: list[object] = [
        {**head, "choices": [{"index": 0, "delta": {"content": word + " "}, "finish_reason": None}]}
        for word in text.split(" ")
    ]
    chunks.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    if (asked.get("stream_options") or {}).get("include_usage"):
        chunks.append({**head, "choices": [], "usage": usage})
    return as_events(*chunks)


class ScriptedTarget:
    """One model at one upstream; `requests` and `answers` record what was asked and played."""

    def __init__(self, script: Script = echo, *, provider: str = "scripted", name: str = "parrot") -> None:
        self.model = Model(id=f"{provider}/{name}", name=name, provider=provider)
        self.upstream_name = name
        self.script = script
        self.limit: int | None = None
        self.searches = False
        self.requests: list[WireRequest] = []
        self.answers: list[ScriptedAnswer] = []

    def default_limit(self, endpoint: Endpoint) -> int | None:  # noqa: ARG002 - the same for all
        """Return `limit`."""
        return self.limit

    async def send(self, request: WireRequest) -> ScriptedAnswer:
        """Play the script; a body in pieces is taken in first."""
        if not isinstance(request.body, bytes):
            request.body = b"".join([piece async for piece in request.body])
        request.is_sent = True
        self.requests.append(request)
        answer = self.script(request)
        if isinstance(answer, ProviderError):
            raise answer
        self.answers.append(answer)
        return answer

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """The JSON bodies that were sent so far."""
        return [msgspec.json.decode(request.body) for request in self.requests if isinstance(request.body, bytes)]


class ScriptedModels:
    """Targets by name: each by its id and its bare name, all of them in order by the alias `any` and the default."""

    def __init__(self, *targets: ScriptedTarget) -> None:
        self.all = targets or (ScriptedTarget(),)

    async def targets(
        self,
        model: str | None,
        endpoint: Endpoint,  # noqa: ARG002 - all of them take any
        may_ask: Callable[[Model], bool] | None = None,  # noqa: ARG002 - the default is given
    ) -> Sequence[ScriptedTarget]:
        """Return who answers for a name."""
        if model in {None, "any"}:
            return self.all
        found = [target for target in self.all if model in {target.model.id, target.model.name}]
        if not found:
            raise ModelNotFound(f"There is no model '{model}'.", param="model")
        return found

    async def listed(self) -> Sequence[Model]:
        """Return the models."""
        return [target.model for target in self.all]
