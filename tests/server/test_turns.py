"""A turn over HTTP: begin, follow, leave, come back, stop."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cores import Core
from hypothesis import given, settings
from hypothesis import strategies as st
from server.serving import Frame, Json, Site, asked, frames_of, serving, text_of

from daehwa.conversation.errors import ProviderRateLimitError, StoreError
from daehwa.conversation.events import (
    Finished,
    Heartbeat,
    Numbered,
    ReasoningDelta,
    ReplyEnded,
    TextDelta,
    TitleMade,
    ToolCallDelta,
    UsageReported,
)
from daehwa.conversation.ids import new_id
from daehwa.conversation.messages import Failure, Usage
from daehwa.conversation.running import RunningTurns
from daehwa.providers.scripted import ScriptedProvider, Step, spoken
from daehwa.server.event_stream import frames


@pytest.fixture
async def gate() -> asyncio.Event:
    return asyncio.Event()


@pytest.fixture
async def gated(tmp_path: Path, gate: asyncio.Event) -> AsyncIterator[Site]:
    """A site whose model says two words and waits for the gate before the rest."""
    script: list[Step] = [(TextDelta("One "),), (TextDelta("two "),), gate, *spoken("three four")]
    async with serving(Core(ScriptedProvider(script)), tmp_path) as made:
        yield made
        gate.set()


async def test_a_question_is_answered_in_a_stream(site: Site) -> None:
    body = asked("Hello there")
    async with site.client.post("/api/turns", json=body) as answer:
        assert answer.status == 200
        assert answer.headers["content-type"] == "text/event-stream"
        assert answer.headers["cache-control"] == "no-store, no-transform"
        assert answer.headers["x-accel-buffering"] == "no"
        assert "content-encoding" not in answer.headers
        stream = frames_of(await answer.text())
    assert text_of(stream) == "You said: Hello there"
    assert stream[-1].event == "done"
    assert stream[-1].data == {"status": "complete", "finish": "stop"}
    assert [frame.data for frame in stream if frame.event == "usage"] == [{"input": 4, "output": 4}]
    numbers = [frame.id for frame in stream]
    assert numbers == sorted(numbers)


async def test_the_head_comes_when_question_and_reply_are_stored_and_before_any_event(
    gated: Site, gate: asyncio.Event
) -> None:
    body = asked()
    async with gated.client.post("/api/turns", json=body) as answer:
        stored = await gated.core.store.get_message("me", body["reply"])
        assert (stored.status, stored.parent) == ("streaming", body["message"]["id"])
        question = await gated.core.store.get_message("me", body["message"]["id"])
        assert question.text == "Hello"
        gate.set()
        assert text_of(frames_of(await answer.text())) == "One two three four"


async def test_the_same_turn_again_follows_it_and_asks_the_model_once(site: Site) -> None:
    body = asked()
    first = await site.turn(body)
    again = await site.turn(body)
    assert text_of(again) == text_of(first)
    assert again[-1] == first[-1]
    assert len(site.core.provider.calls) == 1


async def test_fifty_posts_of_one_turn_at_once_make_one_upstream_call(site: Site) -> None:
    body = asked("Once, please")
    streams = await asyncio.gather(*(site.turn(body) for _ in range(50)))
    assert {text_of(stream) for stream in streams} == {"You said: Once, please"}
    assert len(site.core.provider.calls) == 1
    _, messages = await site.core.store.get_conversation("me", body["conversation"])
    assert len(messages) == 2


async def test_a_repeated_post_resumes_after_the_last_event_that_was_seen(site: Site) -> None:
    body = asked("abc")
    whole = await site.turn(body)
    middle = next(frame.id for frame in whole if frame.event == "delta")
    rest = await site.turn(body, **{"Last-Event-ID": str(middle)})
    seen = "".join(frame.data for frame in whole if frame.event == "delta" and frame.id <= middle)
    assert seen + text_of(rest) == text_of(whole)


async def test_the_client_leaves_and_the_turn_goes_on(gated: Site, gate: asyncio.Event) -> None:
    body = asked()
    async with gated.client.post("/api/turns", json=body) as answer:
        await answer.content.readuntil(b"\n\n")
    gate.set()
    assert text_of(await gated.follow(body["reply"])) == "One two three four"
    stored = await gated.core.store.get_message("me", body["reply"])
    assert (stored.status, stored.text) == ("complete", "One two three four")
    assert not gated.core.provider.calls[0].closed


async def test_two_followers_see_the_same(gated: Site, gate: asyncio.Event) -> None:
    body = asked()
    async with gated.client.post("/api/turns", json=body) as first:
        async with gated.client.get(f"/api/turns/{body['reply']}/events") as second:
            await second.content.readuntil(b"event: delta")
            gate.set()
            tail = (await second.text()).partition("\n\n")[2]
        assert text_of(frames_of(await first.text())) == "One two three four"
    assert "One two three four".endswith(text_of(frames_of(tail)))
    assert frames_of(tail)[-1].event == "done"


async def test_stop_ends_the_upstream_call_and_every_follower(gated: Site) -> None:
    body = asked()
    async with gated.client.post("/api/turns", json=body) as answer:
        await answer.content.readuntil(b"two ")
        status, message = await gated.call("POST", f"/api/turns/{body['reply']}/stop")
        assert (status, message["status"]) == (200, "stopped")
        assert message["parts"] == [{"type": "text", "text": "One two "}]
        tail = (await answer.text()).partition("\n\n")[2]
    assert frames_of(tail)[-1].data == {"status": "stopped"}
    await asyncio.wait_for(gated.core.provider.calls[0].ended.wait(), 30)
    assert gated.core.provider.calls[0].closed
    again = (await gated.call("POST", f"/api/turns/{body['reply']}/stop"))[1]
    assert {**again, "heartbeat": None} == {**message, "heartbeat": None}


async def test_a_further_answer_is_a_sibling(site: Site) -> None:
    body = asked()
    await site.turn(body)
    again = {"conversation": body["conversation"], "reply": new_id(), "parent": body["message"]["id"]}
    assert (await site.turn(again))[-1].event == "done"
    _, whole = await site.call("GET", f"/api/conversations/{body['conversation']}")
    parents = [message["parent"] for message in whole["messages"] if message["role"] == "assistant"]
    assert parents == [body["message"]["id"]] * 2
    assert whole["conversation"]["leaf"] == again["reply"]


async def test_the_rest_of_a_cut_reply_stands_below_it(tmp_path: Path) -> None:
    core = Core(ScriptedProvider(spoken("The half", finish="length")))
    async with serving(core, tmp_path) as site:
        body = asked()
        assert (await site.turn(body))[-1].data == {"status": "complete", "finish": "length"}
        core.provider.script = spoken(" and the rest")
        rest = {"conversation": body["conversation"], "reply": new_id(), "parent": body["reply"], "continue": True}
        assert text_of(await site.turn(rest)) == " and the rest"
        _, whole = await site.call("GET", f"/api/conversations/{body['conversation']}")
        assert [message["parent"] for message in whole["messages"]] == [None, body["message"]["id"], body["reply"]]


async def test_a_failed_reply_ends_with_its_reason(tmp_path: Path) -> None:
    fault = ProviderRateLimitError("The model is asked too often. Try again in 7 seconds.", retry_after=7)
    async with serving(Core(ScriptedProvider([fault])), tmp_path) as site:
        stream = await site.turn(asked())
    error = {"type": "upstream_rate_limit", "message": fault.message, "retry_after": 7.0}
    assert [(frame.event, frame.data) for frame in stream] == [("error", {"status": "failed", "error": error})]


async def test_the_server_ends_and_followers_are_told_that_the_reply_is_interrupted(gated: Site) -> None:
    body = asked()
    async with gated.client.post("/api/turns", json=body) as answer:
        await answer.content.readuntil(b"two ")
        await gated.core.running.aclose()
        last = frames_of((await answer.text()).partition("\n\n")[2])[-1]
    assert (last.event, last.data["status"]) == ("error", "interrupted")


async def test_a_quiet_stream_carries_comments(gated: Site) -> None:
    async with gated.client.post("/api/turns", json=asked()) as answer:
        await answer.content.readuntil(b"two ")
        heard = await asyncio.wait_for(answer.content.readuntil(b"\n:\n\n"), 30)
    assert b"event:" not in heard


async def _left_and_came_back(site: Site, body: Json, points: list[int]) -> list[Frame]:
    """Read a few bytes, leave, and resume after the last whole event, over and over; then read to the end."""
    seen: list[Frame] = []
    for count in points:
        last = str(seen[-1].id) if seen else ""
        async with site.client.get(f"/api/turns/{body['reply']}/events", headers={"Last-Event-ID": last}) as answer:
            heard = b""
            while len(heard) < count and (chunk := await answer.content.read(count - len(heard))):
                heard += chunk
        seen += frames_of(heard[: heard.rfind(b"\n\n") + 2].decode() if b"\n\n" in heard else "")
        if seen and seen[-1].event == "done":
            return seen
    return seen + await site.follow(body["reply"], seen[-1].id if seen else None)


TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20), min_size=1, max_size=12)


@settings(max_examples=40, deadline=None)
@given(texts=TEXTS, points=st.lists(st.integers(1, 150), max_size=5))
def test_no_text_is_lost_or_doubled_wherever_a_client_leaves(texts: list[str], points: list[int]) -> None:
    deltas = [ReasoningDelta(text) if i % 3 == 2 else TextDelta(text) for i, text in enumerate(texts)]

    async def tried() -> list[Frame]:
        script: list[Step] = [*((delta,) for delta in deltas), (Finished("stop"),)]
        async with serving(Core(ScriptedProvider(script, pace=0.001)), Path()) as site:
            body = asked()
            async with site.client.post("/api/turns", json=body) as answer:
                assert answer.status == 200
            return await _left_and_came_back(site, body, points)

    seen = asyncio.run(tried())
    for event, kind in (("delta", TextDelta), ("reasoning", ReasoningDelta)):
        said = "".join(delta.text for delta in deltas if isinstance(delta, kind))
        assert "".join(frame.data for frame in seen if frame.event == event) == said


async def test_a_finished_reply_can_be_resumed_anywhere(site: Site) -> None:
    body = asked("가나다")
    whole = text_of(await site.turn(body))
    for position in range(len(whole) + 3):
        stream = await site.follow(body["reply"], position)
        assert text_of(stream) == whole[max(0, position - 1) :], "the start of a part counts as one"
        assert stream[-1].event == "done"


def test_every_event_has_its_frame() -> None:
    usage = Usage(input=3, output=2)
    batch = [
        Numbered(7, TextDelta('a "line"\nand\r another\u2028one')),
        Numbered(9, ReasoningDelta("hm")),
        Numbered(10, ToolCallDelta("call-1", "weather", '{"city"')),
        Numbered(10, UsageReported(usage)),
        Numbered(10, Heartbeat()),
        Numbered(10, ReplyEnded("complete", "stop")),
        Numbered(10, TitleMade("날씨", usage)),
        Numbered(10, ReplyEnded("interrupted", error=Failure(type="upstream_cut", message="It was cut."))),
    ]
    text = frames(batch).decode()
    assert "\r" not in text
    assert text.count(":\n\n") == 1
    assert frames_of(text) == [
        Frame(7, "delta", 'a "line"\nand\r another\u2028one'),
        Frame(9, "reasoning", "hm"),
        Frame(10, "tool", {"id": "call-1", "name": "weather", "arguments": '{"city"'}),
        Frame(10, "usage", {"input": 3, "output": 2}),
        Frame(10, "done", {"status": "complete", "finish": "stop"}),
        Frame(10, "title", {"title": "날씨", "usage": {"input": 3, "output": 2}}),
        Frame(10, "error", {"status": "interrupted", "error": {"type": "upstream_cut", "message": "It was cut."}}),
    ]
    assert json.loads(text.split("data: ")[1].split("\n")[0]) == 'a "line"\nand\r another\u2028one'


def _beside(core: Core) -> Core:
    """Another process with the same store."""
    other = Core()
    other.store = core.store
    other.running = RunningTurns(core.store, other.catalogue, runner="another", options=other.options)
    return other


async def test_a_reply_that_another_process_makes_is_followed_and_stopped(gated: Site, tmp_path: Path) -> None:
    async with serving(_beside(gated.core), tmp_path) as other:
        body = asked()
        async with gated.client.post("/api/turns", json=body) as answer:
            await answer.content.readuntil(b"two ")
            async with other.client.get(f"/api/turns/{body['reply']}/events") as follower:
                await follower.content.readuntil(b"One two ")
                assert (await other.call("POST", f"/api/turns/{body['reply']}/stop"))[0] == 200
                last = frames_of((await follower.text()).partition("\n\n")[2])[-1]
        assert last.data == {"status": "stopped"}
        assert gated.core.provider.calls[0].closed


async def test_a_store_that_fails_while_a_client_follows_ends_the_stream_without_an_end(
    gated: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    core = _beside(gated.core)
    async with serving(core, tmp_path) as other:
        body = asked()
        async with gated.client.post("/api/turns", json=body) as answer:
            await answer.content.readuntil(b"two ")
            async with other.client.get(f"/api/turns/{body['reply']}/events") as follower:
                await follower.content.readuntil(b"One two ")

                async def broken(*_: object) -> None:
                    raise StoreError("The disk is full. Make room on it.")

                monkeypatch.setattr(core.store, "get_message", broken)
                tail = (await follower.text()).partition("\n\n")[2]
            refused = await other.refused("GET", f"/api/turns/{body['reply']}/events")
    assert frames_of(tail) == []
    assert refused == (503, "store_unavailable", None)
