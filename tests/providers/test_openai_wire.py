"""The OpenAI wire when all goes well: what is sent, what is understood, how it is paced."""

import asyncio
import time
from typing import Any

import msgspec
import pytest
from providers.client_asks import settled
from providers.conftest import KEY, Connect
from providers.contract import all_events, question, said
from upstream import (
    CUT,
    DONE,
    RESET,
    ROLE,
    Answer,
    FakeUpstream,
    Request,
    Step,
    chunk,
    ending,
    error,
    frame,
    stream,
    text,
    usage,
)
from wire_server import Line, WireServer

from daehwa.conversation.errors import ProviderTimeoutError, ProviderUnreachableError
from daehwa.conversation.events import (
    Finished,
    ProviderEvent,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    UsageReported,
)
from daehwa.conversation.messages import Usage
from daehwa.conversation.ports import GenerationRequest, PromptMessage
from daehwa.providers.pacing import SHORTEST_SECONDS
from daehwa.providers.upstream import Patience

CONVERSATION = GenerationRequest(
    model="gpt-test",
    messages=(PromptMessage("system", "Be brief."), PromptMessage("user", "안녕?")),
    max_output_tokens=50,
)


async def test_what_is_sent(connect: Connect) -> None:
    async with FakeUpstream() as upstream:
        provider = connect(upstream.base_url, headers={"X-Team": "blue"}, extra_body={"temperature": 0.5})
        await all_events(provider, CONVERSATION)
    request = upstream.turns[0]
    assert request.path == "/v1/chat/completions"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["x-team"] == "blue"
    assert request.headers["accept-encoding"] == "identity"
    assert request.json == {
        "model": "gpt-test",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "안녕?"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 50,
        "temperature": 0.5,
    }


async def test_the_query_of_a_base_url_is_kept(connect: Connect) -> None:
    async with FakeUpstream() as upstream:
        await all_events(connect(f"{upstream.base_url}/?api-version=2026-01-01"), question())
    assert upstream.turns == []
    assert upstream.requests[0].path == "/v1/chat/completions?api-version=2026-01-01"


async def understood(connect: Connect, *steps: Step) -> list[ProviderEvent]:
    async with FakeUpstream(Answer([b"".join(step for step in steps if isinstance(step, bytes)), DONE])) as upstream:
        return await all_events(connect(upstream.base_url), question())


TOOLS: list[list[dict[str, Any]]] = [
    [{"index": 0, "id": "call_a", "type": "function", "function": {"name": "weather", "arguments": ""}}],
    [{"index": 0, "function": {"arguments": '{"city":'}}],
    [{"index": 0, "function": {"arguments": '"Seoul"}'}}],
    [{"index": 1, "id": "call_b", "function": {"name": "time", "arguments": "{}"}}],
]
TOOL_EVENTS = [
    ToolCallDelta("call_a", "weather", ""),
    ToolCallDelta("call_a", "", '{"city":'),
    ToolCallDelta("call_a", "", '"Seoul"}'),
    ToolCallDelta("call_b", "time", "{}"),
]


@pytest.mark.parametrize(
    ("steps", "events"),
    [
        ([ROLE, text("Hi"), text(" you"), ending()], [TextDelta("Hi you"), Finished("stop")]),
        ([text("a"), ending("length")], [TextDelta("a"), Finished("length")]),
        ([ending("content_filter")], [Finished("content_filter")]),
        ([text("a"), ending("made_up")], [TextDelta("a"), Finished("stop")]),
        ([text("a"), ending(), ending("length")], [TextDelta("a"), Finished("stop")]),
        (
            [chunk({"reasoning_content": "Hm"}), chunk({"reasoning": "m"}), text("a"), ending()],
            [ReasoningDelta("Hmm"), TextDelta("a"), Finished("stop")],
        ),
        ([chunk({"refusal": "No."}), ending()], [TextDelta("No."), Finished("stop")]),
        ([chunk({"content": [{"type": "text", "text": "a"}]}), ending()], [TextDelta("a"), Finished("stop")]),
        (
            [*(chunk({"tool_calls": calls}) for calls in TOOLS), ending("tool_calls")],
            [*TOOL_EVENTS, Finished("tool_calls")],
        ),
        (
            [
                chunk({"tool_calls": [{"id": "x", "function": {"name": "f"}}]}),
                chunk({"tool_calls": [{"function": {"arguments": "{}"}}]}),
                ending("function_call"),
            ],
            [ToolCallDelta("x", "f", ""), ToolCallDelta("x", "", "{}"), Finished("tool_calls")],
        ),
        (
            [text("a"), ending(), usage(5, 1)],
            [TextDelta("a"), Finished("stop"), UsageReported(Usage(input=5, output=1))],
        ),
        (
            [
                text("a"),
                usage(
                    5, 9, prompt_tokens_details={"cached_tokens": 4}, completion_tokens_details={"reasoning_tokens": 8}
                ),
            ],
            [TextDelta("a"), UsageReported(Usage(input=5, output=9, cached=4, reasoning=8))],
        ),
        (
            [text("a"), usage(5, 1, prompt_cache_hit_tokens=4)],
            [TextDelta("a"), UsageReported(Usage(input=5, output=1, cached=4))],
        ),
        (
            [usage(5, 1), text("a"), usage(5, 2)],
            [TextDelta("a"), UsageReported(Usage(input=5, output=2))],
        ),
        (
            [chunk({"content": "a"}, "stop", usage={"prompt_tokens": 5.0, "prompt_tokens_details": []})],
            [TextDelta("a"), Finished("stop"), UsageReported(Usage(input=5))],
        ),
        ([chunk({"content": "a"}, "stop", usage=[])], [TextDelta("a"), Finished("stop")]),
        (
            [b'data: {"choices":[{"delta":{"content":"\xff"}}],"usage":{"prompt_tokens":5.0}}\n\n'],
            [TextDelta("\ufffd"), UsageReported(Usage(input=5))],
        ),
        ([text("a"), chunk({}, "stop", usage=None)], [TextDelta("a"), Finished("stop")]),
        ([frame({"choices": [], "prompt_filter_results": []}), text("a")], [TextDelta("a")]),
        ([frame({"choices": [{"index": 1, "delta": {"content": "b"}}]}), text("a")], [TextDelta("a")]),
        ([b": OPENROUTER PROCESSING\n\n", text("a"), b":\n\n", text("b")], [TextDelta("ab")]),
        ([b'data: {"choices":[{"delta":{"content":"\xff"}}]}\n\n'], [TextDelta("\ufffd")]),
    ],
)
async def test_what_is_understood(connect: Connect, steps: list[Step], events: list[ProviderEvent]) -> None:
    assert await understood(connect, *steps) == events


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
async def test_pieces_of_any_size_and_every_line_end(connect: Connect, size: int, end: bytes) -> None:
    whole = b"".join([ROLE, text("대화 \U0001f44b"), b": ping\n\n", text(" done"), ending(), DONE]).replace(b"\n", end)
    steps: list[Step] = [whole[i : i + size] for i in range(0, len(whole), size)]
    async with FakeUpstream(Answer(steps)) as upstream:
        events = await all_events(connect(upstream.base_url), question())
    assert said(events) == "대화 \U0001f44b done"
    assert events[-1] == Finished("stop")


async def test_a_very_long_line(connect: Connect) -> None:
    assert said(await understood(connect, text("x" * 100_000), ending())) == "x" * 100_000


@pytest.mark.parametrize("last", [b"", b"data: [DONE]", b"data: [DONE]\n"])
async def test_an_end_without_the_last_formalities(connect: Connect, last: bytes) -> None:
    async with FakeUpstream(Answer([text("a"), ending(), last], framing="close")) as upstream:
        assert await all_events(connect(upstream.base_url), question()) == [TextDelta("a"), Finished("stop")]


async def test_an_upstream_that_does_not_stream(connect: Connect) -> None:
    body = chunk({}, choices=[{"message": {"role": "assistant", "content": "All at once"}, "finish_reason": "stop"}])
    answer = Answer([body[6:]], headers={"content-type": "application/json; charset=utf-8"})
    async with FakeUpstream(answer) as upstream:
        events = await all_events(connect(upstream.base_url), question())
    assert events == [TextDelta("All at once"), Finished("stop")]


async def test_an_upstream_that_refuses_stream_options_is_asked_without_ever_after(connect: Connect) -> None:
    async with FakeUpstream(error(400, "Unknown parameter: stream_options"), Answer(stream("Hi."))) as upstream:
        provider = connect(upstream.base_url)
        for _ in range(2):
            assert said(await all_events(provider, question())) == "Hi."
        assert ["stream_options" in turn.json for turn in upstream.turns] == [True, False, False]


@pytest.mark.parametrize("rest", [b"data: {\n\n", frame({"usage": {"prompt_tokens": 12.5}}), RESET, CUT])
async def test_what_follows_a_whole_answer_does_not_spoil_it(connect: Connect, rest: Step) -> None:
    async with FakeUpstream(Answer([text("All of it."), ending(), 0.05, rest])) as upstream:
        events = await all_events(connect(upstream.base_url), question())
    assert events == [TextDelta("All of it."), Finished("stop")]


async def test_turns_that_are_refused_together_are_all_asked_anew(connect: Connect) -> None:
    def answer(request: Request) -> Answer:
        for name in ("stream_options", "max_tokens"):
            if name in request.json:
                return error(400, f"Unknown parameter: {name}")
        return Answer(stream("Hi."))

    async with FakeUpstream(answer) as upstream:
        provider = connect(upstream.base_url)
        replies = await asyncio.gather(*(all_events(provider, CONVERSATION) for _ in range(3)))
    assert [said(events) for events in replies] == ["Hi."] * 3


async def test_an_upstream_that_wants_the_other_output_limit_gets_it(connect: Connect) -> None:
    refusal = error(400, "'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.")
    async with FakeUpstream(refusal, Answer(stream("Hi."))) as upstream:
        provider = connect(upstream.base_url)
        for _ in range(2):
            assert said(await all_events(provider, CONVERSATION)) == "Hi."
        assert ["max_completion_tokens" in turn.json for turn in upstream.turns] == [False, True, True]
        assert "max_tokens" not in upstream.turns[1].json


@pytest.mark.parametrize(
    ("extra", "asked", "sent"),
    [
        ({"max_tokens": 1000}, 4096, {"max_tokens": 1000}),
        ({"max_tokens": 1000}, 300, {"max_tokens": 300}),
        ({"max_tokens": 1000}, None, {"max_tokens": 1000}),
        ({"max_completion_tokens": 1000}, 4096, {"max_completion_tokens": 1000}),
        ({"max_completion_tokens": 9, "max_tokens": 1000}, 4096, {"max_tokens": 1000}),
        ({"max_completion_tokens": -1}, 4096, {"max_completion_tokens": 4096}),
    ],
)
async def test_of_the_settings_limit_and_the_request_s_the_smaller_is_sent_under_one_name(
    connect: Connect, extra: dict[str, int], asked: int | None, sent: dict[str, int]
) -> None:
    request = msgspec.structs.replace(CONVERSATION, max_output_tokens=asked)
    async with FakeUpstream() as upstream:
        await all_events(connect(upstream.base_url, extra_body=extra), request)
        body = upstream.turns[0].json
    assert {name: limit for name, limit in body.items() if name.startswith("max_")} == sent


async def test_a_request_is_sent_once_it_has_a_place_and_not_where_nobody_answered(connect: Connect) -> None:
    never = asyncio.Event()
    first, second, lost = question(), question(), question()
    async with FakeUpstream(Answer(before=never)) as upstream:
        provider = connect(upstream.base_url, max_concurrent=1, patience=Patience())
        asking = [asyncio.ensure_future(all_events(provider, request)) for request in (first, second)]
        async with asyncio.timeout(30):
            await upstream.turn()
        for task in reversed(asking):
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert (first.delivery.is_sent, second.delivery.is_sent, len(upstream.turns)) == (True, False, 1)
        late = connect(upstream.base_url, patience=Patience(first_byte=0.05))
        with pytest.raises(ProviderTimeoutError):
            await all_events(late, second)
        assert second.delivery.is_sent
        gone = connect(upstream.base_url)
    with pytest.raises(ProviderUnreachableError):
        await all_events(gone, lost)
    assert not lost.delivery.is_sent


async def test_a_request_is_not_sent_while_its_connection_is_being_made(connect: Connect) -> None:
    async with WireServer(Line.left) as server:  # no word of TLS
        provider, request = connect(server.base_url.replace("http:", "https:")), question()
        asking = asyncio.ensure_future(all_events(provider, request))
        await settled(lambda: len(server.lines) == 1)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
    assert not request.delivery.is_sent


async def test_connections_are_used_again(connect: Connect) -> None:
    ends_late = Answer([*stream("Hi."), 0.02])
    async with FakeUpstream(ends_late) as upstream:
        provider = connect(upstream.base_url)
        for _ in range(3):
            await all_events(provider, question())
            await upstream.turns[-1].answered.wait()
            await asyncio.sleep(0.01)  # its last bytes are on their way
        assert upstream.connections == 1


async def test_the_first_content_comes_at_once_and_the_rest_is_gathered(connect: Connect) -> None:
    steps: list[Step] = [ROLE, text("first")]
    for n in range(50):
        steps += [0.004, text(f" {n}")]
    async with FakeUpstream(Answer([*steps, ending(), DONE])) as upstream:
        batches, times = [], []
        async for batch in connect(upstream.base_url).generate(question()):
            batches.append(batch)
            times.append(time.monotonic())
    assert batches[0] == [TextDelta("first")]
    assert said([event for batch in batches for event in batch]) == "first" + "".join(f" {n}" for n in range(50))
    assert len(batches) <= 2 + (times[-1] - times[0]) / SHORTEST_SECONDS


async def test_warming_up_lets_it_answer(connect: Connect) -> None:
    async with FakeUpstream() as upstream:
        provider = connect(upstream.base_url)
        await provider.warm_up()
        assert said(await all_events(provider, question())) == "Hello there."


async def test_an_upstream_never_shows_its_key_in_logs(connect: Connect) -> None:
    provider = connect("http://127.0.0.1:9/v1", headers={"x-api-key": "secret-thing"})
    assert KEY not in repr(provider._upstream)
    assert "secret-thing" not in repr(provider._upstream)
