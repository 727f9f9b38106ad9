"""The tape: any position gives exactly the rest."""

from hypothesis import given
from hypothesis import strategies as st

from daehwa.conversation.events import (
    Finished,
    Numbered,
    ProviderEvent,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    UsageReported,
)
from daehwa.conversation.messages import Part, ReasoningPart, TextPart, ToolCallPart, Usage
from daehwa.conversation.reply import Delta, GrowingReply, deltas_since

texts = st.text(max_size=8)
tool_calls = st.builds(ToolCallDelta, st.sampled_from(["call_1", "call_2"]), st.just("look"), texts)
deltas = st.one_of(st.builds(TextDelta, texts), st.builds(ReasoningDelta, texts), tool_calls)


def grown(events: list[Delta]) -> GrowingReply:
    reply = GrowingReply()
    for event in events:
        reply.apply([event])
    return reply


def folded(numbered: list[Numbered]) -> tuple[Part, ...]:
    """Fold as a client does that only appends what it is sent."""
    reply = GrowingReply()
    for each in numbered:
        assert isinstance(each.event, TextDelta | ReasoningDelta | ToolCallDelta)
        reply.apply([each.event])
    return reply.parts()


@given(st.lists(deltas, max_size=12))
def test_a_follower_from_the_start_sees_the_whole_reply(events: list[Delta]) -> None:
    reply = grown(events)
    assert folded(reply.since(0)) == reply.parts()
    assert reply.position == max((each.position for each in deltas_since(reply.parts(), 0)), default=0)


@given(st.lists(deltas, max_size=12), st.lists(deltas, max_size=12))
def test_resuming_after_any_event_neither_loses_nor_doubles_text(first: list[Delta], then: list[Delta]) -> None:
    reply = grown(first)
    seen = reply.since(0)
    position = seen[-1].position if seen else 0
    reply.apply(then)
    assert folded([*seen, *reply.since(position)]) == reply.parts()


@given(st.lists(deltas, max_size=12), st.integers(0, 80))
def test_memory_and_a_stored_checkpoint_replay_the_same(events: list[Delta], position: int) -> None:
    reply = grown(events)
    from_memory = reply.since(position)
    assert list(deltas_since(reply.parts(), position)) == from_memory
    assert reply.since(position) == from_memory, "joining the chunks for a checkpoint changes nothing"


@given(st.lists(deltas, max_size=12))
def test_positions_grow(events: list[Delta]) -> None:
    positions = [each.position for each in grown(events).since(0)]
    assert positions == sorted(set(positions))


def test_deltas_of_one_kind_make_one_part_and_each_tool_call_its_own() -> None:
    reply = grown(
        [
            ReasoningDelta("hm"),
            TextDelta("See"),
            TextDelta("ing"),
            ToolCallDelta("a", "look", ""),
            ToolCallDelta("a", "look", '{"x":'),
            ToolCallDelta("a", "look", "1}"),
            ToolCallDelta("b", "look", "{}"),
        ]
    )
    assert reply.parts() == (
        ReasoningPart("hm"),
        TextPart("Seeing"),
        ToolCallPart("a", "look", '{"x":1}'),
        ToolCallPart("b", "look", "{}"),
    )


def test_usage_and_finish_are_kept_and_have_no_position() -> None:
    reply = GrowingReply()
    events: list[ProviderEvent] = [TextDelta(""), UsageReported(Usage(input=3, output=4)), Finished("length")]
    reply.apply(events)
    assert (reply.position, reply.is_empty, reply.usage, reply.finish) == (0, True, Usage(input=3, output=4), "length")
