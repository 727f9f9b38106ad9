"""An answer that breaks off without a sign of it, over real sockets, and those that only look like it."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from gateway.bed import OWNER, RememberingMeter
from upstream import DONE, ROLE, Answer, FakeUpstream, Step, ending, frame, text, usage

from daehwa.accounts.keys import Caller
from daehwa.conversation.errors import ProviderCutError, ProviderMalformedError
from daehwa.gateway.answers import Streaming
from daehwa.gateway.asking import JsonAsked
from daehwa.gateway.calls import Gateway
from daehwa.gateway.idempotency import OnceOnly
from daehwa.gateway.ports import Endpoint, KeptAnswer
from daehwa.gateway.rates import Rates
from daehwa.gateway.whole import is_json
from daehwa.providers.catalogue import Catalogue
from daehwa.providers.openai_wire import OpenAIWireProvider
from daehwa.providers.upstream import Upstream
from daehwa.stores.memory_answers import MemoryAnswers
from daehwa.stores.memory_rates import MemoryRates

CALLER = Caller(user=OWNER)
JSON = {"content-type": "application/json"}
CREATED = frame({"type": "response.created", "response": {"usage": None}})
SAID = frame({"type": "response.output_text.delta", "delta": "Hi"})


class Asking:
    """A gateway before one upstream, which gives an answer again and again."""

    def __init__(self, upstream: FakeUpstream) -> None:
        self.meter = RememberingMeter()
        self.catalogue = Catalogue([OpenAIWireProvider(Upstream(name="one", base_url=upstream.base_url))])
        self.gateway = Gateway(self.catalogue, self.meter, Rates(MemoryRates()), OnceOnly(MemoryAnswers()))

    async def ask(self, endpoint: Endpoint = "chat/completions") -> bytes:
        """Return what came; raise what broke it off."""
        fields = {"model": "gpt-test", "stream": True, "messages": [], "prompt": "?", "input": "?"}
        asked = JsonAsked(endpoint, msgspec.json.encode(fields))
        answer = await self.gateway.ask(CALLER, asked, idempotency_key="k")
        if isinstance(answer, KeptAnswer):
            return answer.body
        try:
            return await self.read(answer)
        finally:
            await answer.aclose()

    async def read(self, answer: Streaming) -> bytes:
        return b"".join([piece async for piece in pieces_of(answer)])


class Forwarding(Asking):
    """What is written into a sink is remembered in `sunk`, as far as it came."""

    sunk = b""

    def write(self, piece: bytes) -> bool:
        self.sunk += piece
        return True

    async def drained(self) -> None:
        return

    async def read(self, answer: Streaming) -> bytes:
        self.sunk = b""
        last = await answer.forward(self)
        return self.sunk + last


async def pieces_of(answer: Streaming) -> AsyncIterator[bytes]:
    while piece := await answer.read():
        yield piece


def told(how: str) -> bytes:
    return frame({"type": f"response.{how}", "response": {"id": "r", "usage": {"input_tokens": 3, "output_tokens": 4}}})


BROKEN: dict[str, tuple[Endpoint, list[bytes]]] = {
    "three words": ("chat/completions", [ROLE, text("The "), text("answer "), text("is ")]),
    "half an event": ("chat/completions", [ROLE, text("The "), text("answer ")[:60]]),
    "half the end": ("chat/completions", [ROLE, ending()[:-8]]),
    "usage so far": ("chat/completions", [frame({"choices": [{"delta": {}}], "usage": {"completion_tokens": 1}})]),
    "a comment": ("chat/completions", [text("The "), b": still there\n\n"]),
    "nothing": ("chat/completions", []),
    "a completion": ("completions", [frame({"choices": [{"text": "The ", "finish_reason": None}]})]),
    "a response": ("responses", [CREATED, SAID]),
    "a response that only began": ("responses", [CREATED]),
}
WHOLE: dict[str, tuple[Endpoint, list[bytes]]] = {
    "done": ("chat/completions", [text("Hi"), DONE]),
    "done without a blank line": ("chat/completions", [text("Hi"), DONE.rstrip()]),
    "finished": ("chat/completions", [text("Hi"), ending()]),
    "finished and counted": ("chat/completions", [text("Hi"), ending(), usage()]),
    "finished with a comment": ("chat/completions", [text("Hi"), ending("length"), b": bye\n\n"]),
    "all in one": ("chat/completions", [text("Hi") + ending() + usage()]),
    "two answers": ("chat/completions", [frame({"choices": [{"index": n, "finish_reason": "stop"}]}) for n in (0, 1)]),
    "a completion": ("completions", [frame({"choices": [{"text": "Hi", "finish_reason": "length"}]})]),
    "completed": ("responses", [CREATED, SAID, told("completed")]),
    "incomplete": ("responses", [SAID, told("incomplete")]),
    "failed": ("responses", [SAID, told("failed")]),
    "unknown events": ("chat/completions", [frame({"type": "delta", "text": "Hi"})]),
    "other choices": ("chat/completions", [frame({"choices": {"a": 1}})]),
    "no JSON": ("chat/completions", [b"data: Hi\n\n"]),
    "pictures": ("images/generations", [frame({"type": "image_generation.partial_image", "b64_json": "x"})]),
    "no picture": ("images/generations", []),
}


@pytest.mark.parametrize("kind", [Asking, Forwarding])
@pytest.mark.parametrize("framing", ["close", "chunked"])
@pytest.mark.parametrize("name", BROKEN)
async def test_a_stream_without_its_end_has_broken_off_and_is_not_kept(
    name: str, framing: Any, kind: type[Asking]
) -> None:
    endpoint, pieces = BROKEN[name]
    async with FakeUpstream(Answer(pieces, framing=framing)) as upstream:
        asking = kind(upstream)
        for _ in range(2):
            with pytest.raises(ProviderCutError):
                await asking.ask(endpoint)
        await asking.catalogue.aclose()
    assert [outcome.error for outcome in asking.meter.outcomes] == ["upstream_cut"] * 2
    if isinstance(asking, Forwarding):
        assert asking.sunk == b"".join(piece for piece in pieces if piece.endswith(b"\n\n")), "what came goes on"


@pytest.mark.parametrize("kind", [Asking, Forwarding])
@pytest.mark.parametrize("framing", ["close", "chunked"])
@pytest.mark.parametrize("name", WHOLE)
async def test_a_stream_that_may_be_whole_is_kept(name: str, framing: Any, kind: type[Asking]) -> None:
    endpoint, pieces = WHOLE[name]
    async with FakeUpstream(Answer(pieces, framing=framing)) as upstream:
        asking = kind(upstream)
        came = await asking.ask(endpoint)
        assert came == b"".join(pieces).replace(usage(), b""), "usage was asked for here"
        assert await asking.ask(endpoint) == came
        await asking.catalogue.aclose()
    assert [outcome.error for outcome in asking.meter.outcomes] == [None], "given again"


@pytest.mark.parametrize("framing", ["close", "chunked"])
async def test_half_of_a_json_is_no_answer_and_is_not_kept(framing: Any) -> None:
    half: list[Step] = [b'{"choices":[{"message":{"content":"The answer is ']
    async with FakeUpstream(Answer(half, headers=JSON, framing=framing)) as upstream:
        asking = Asking(upstream)
        for _ in range(2):
            with pytest.raises(ProviderMalformedError):
                await asking.ask()
        await asking.catalogue.aclose()
    assert [outcome.error for outcome in asking.meter.outcomes] == ["upstream_malformed"] * 2


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"a": [1, "x"]}\n', True),
        (b'"text"', True),
        (b'{"logprob": -Infinity}', True),
        ('\ufeff{"a": 1}'.encode(), True),
        ('{"a": 1}'.encode("utf-16"), True),
        (b"[" * 100_000, True),
        (b"", False),
        (b'{"a": [1, "x"]', False),
        (b'{"a": 1} {', False),
        (b"<html>", False),
        (b"\xff", False),
    ],
)
def test_json_is_what_clients_can_read(body: bytes, *, expected: bool) -> None:
    assert is_json(body) is expected
