"""The tap reads what a call is paid by, wherever the pieces of a stream are cut."""

import json
import time
from typing import Any

import pytest
from gateway.streams import CHUNKS, USAGE, frames
from hypothesis import given
from hypothesis import strategies as st

from daehwa.conversation.messages import Usage
from daehwa.gateway.tap import LONGEST_EVENT, UsageTap
from daehwa.gateway.whole import is_over

COUNTED = Usage(input=11, output=7, cached=3, reasoning=2)


def through(tap: UsageTap, whole: bytes, size: int) -> bytes:
    pieces = [whole[start : start + size] for start in range(0, len(whole), size)]
    return b"".join(tap.feed(piece) for piece in [*pieces, b""])


@pytest.mark.parametrize("size", [1, 2, 7, 64, 100_000])
def test_usage_is_found_and_the_bytes_stay_as_they_are(size: int) -> None:
    whole = frames(*CHUNKS, {"choices": [], "usage": USAGE})
    tap = UsageTap(strip=False)
    assert through(tap, whole, size) == whole
    assert tap.usage == COUNTED


@pytest.mark.parametrize("size", [1, 2, 7, 64, 100_000])
def test_usage_that_was_asked_for_by_us_is_not_shown(size: int) -> None:
    whole = frames(*({**chunk, "usage": None} for chunk in CHUNKS), {"choices": [], "usage": USAGE})
    tap = UsageTap(strip=True)
    assert through(tap, whole, size) == frames(*CHUNKS)
    assert tap.usage == COUNTED


@pytest.mark.parametrize("choices", [{}, {"choices": None}, {"choices": []}])
def test_a_chunk_of_nothing_but_usage_is_not_shown_whatever_its_choices_are(choices: dict[str, Any]) -> None:
    tap = UsageTap(strip=True)
    assert through(tap, frames(*CHUNKS, {"id": "c", **choices, "usage": USAGE}), 9) == frames(*CHUNKS)
    assert tap.usage == COUNTED


@pytest.mark.parametrize(
    "event",
    [
        {"choices": [], "usage": USAGE, "error": {"message": "No."}},
        {"type": "error", "message": "No.", "usage": USAGE},
        {"choices": {"0": {"delta": {"content": "x"}}}, "usage": USAGE},
        {"choices": [], "prompt_filter_results": []},
    ],
)
def test_what_says_more_than_usage_is_shown_also_where_we_asked(event: dict[str, Any]) -> None:
    whole = frames(*CHUNKS, event)
    assert through(UsageTap(strip=True), whole, 9) == whole


def test_usage_beside_content_is_shown_also_where_we_asked() -> None:
    whole = frames({"choices": [{"delta": {"content": "x"}}], "usage": USAGE})
    tap = UsageTap(strip=True)
    assert through(tap, whole, 5) == whole
    assert tap.usage == COUNTED


def test_a_stream_without_usage_is_counted_by_its_events() -> None:
    tap = UsageTap(strip=False)
    through(tap, frames(*CHUNKS), 9)
    assert tap.usage is None
    assert tap.tokens >= len(CHUNKS)


def test_the_younger_endpoints_say_it_elsewhere() -> None:
    usage = {
        "input_tokens": 11,
        "output_tokens": 7,
        "input_tokens_details": {"cached_tokens": 3},
        "output_tokens_details": {"reasoning_tokens": 2},
    }
    event = {"type": "response.completed", "response": {"id": "r", "usage": usage}}
    whole = b"event: response.completed\ndata: " + json.dumps(event).encode() + b"\n\n"
    tap = UsageTap(strip=False)
    assert through(tap, whole, 10) == whole
    assert tap.usage == COUNTED


ERRORS: list[tuple[object, bool]] = [
    ({"error": {"message": "No.", "type": "server_error"}}, True),
    ({"type": "error", "code": "server_error", "message": "No."}, True),
    ({"type": "response.failed", "response": {"error": {"code": "server_error"}}}, True),
    ({"type": "response.completed", "response": {"error": None, "usage": USAGE}}, False),
    ({"choices": [{"delta": {"content": 'They said "error": {"no"}.'}}]}, False),
    ({"choices": [{"delta": {"content": "error"}}]}, False),
]


@pytest.mark.parametrize(("event", "has_failed"), ERRORS)
@pytest.mark.parametrize("strip", [True, False])
def test_an_error_within_a_stream_is_noted_and_handed_on(event: object, *, has_failed: bool, strip: bool) -> None:
    whole = frames(*CHUNKS, event)
    tap = UsageTap(strip=strip)
    assert through(tap, whole, 11) == whole
    assert tap.has_failed is has_failed


def test_seconds_of_audio_and_images_are_counted_in_streams_too() -> None:
    tap = UsageTap(strip=False)
    spoken = {"type": "transcript.text.done", "text": "Hi", "usage": {"type": "duration", "seconds": 62}}
    drawn = {"type": "image_generation.completed", "usage": {"input_tokens": 11, "output_tokens": 7}}
    through(tap, frames(spoken, drawn), 50)
    assert (tap.seconds, tap.images) == (62.0, 1)


SPACED = b'data: {"choices": [{"delta": {"content": "a"}}], "usage": null}\n\n'
RECORDED = {
    "as OpenAI": frames(*({**chunk, "usage": None} for chunk in CHUNKS), {"choices": [], "usage": USAGE}),
    "first member": b'data: {"usage":null,"choices":[{"delta":{"content":"\\"usage\\":null"}}]}\n\ndata: [DONE]\n\n',
    "with blanks": SPACED + b'data: {"choices": [], "usage": {"prompt_tokens": 11, "completion_tokens": 7}}\n\n',
    "CRLF": b": hello\r\n\r\n" + SPACED.replace(b"\n", b"\r\n") * 2 + b"data: [DONE]\r\n\r\n",
    "no last blank line": SPACED + b'data: {"choices":[],"usage":{"prompt_tokens":11,"completion_tokens":7}}',
    "long ones": frames(*({"choices": [{"delta": {"text": "a " * n}}]} for n in (1, 1, 90, 1, 9))),
    "CR": SPACED.replace(b"\n", b"\r") * 3,
    "not events": b'{"choices": [], "usage": null}',
}


@given(st.sampled_from(sorted(RECORDED)), st.lists(st.integers(1, 400), max_size=12), st.booleans())
def test_wherever_it_is_cut_the_same_is_found_and_shown(name: str, cuts: list[int], strip: bool) -> None:  # noqa: FBT001 - hypothesis gives it
    whole = RECORDED[name]
    at_once, in_pieces = UsageTap(strip=strip), UsageTap(strip=strip)
    shown = at_once.feed(whole)
    said = at_once.last, at_once.unfinished
    got, start = b"", 0
    for cut in [*cuts, len(whole)]:
        got += in_pieces.feed(whole[start : start + cut]) if whole[start : start + cut] else b""
        start += cut
    assert (in_pieces.last, in_pieces.unfinished) == said
    shown += at_once.feed(b"")
    got += in_pieces.feed(b"")
    assert got == shown
    assert (in_pieces.usage, in_pieces.tokens) == (at_once.usage, at_once.tokens)
    assert strip or shown == whole


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("first member", b'data: {"choices":[{"delta":{"content":"\\"usage\\":null"}}]}\n\ndata: [DONE]\n\n'),
        ("with blanks", b'data: {"choices": [{"delta": {"content": "a"}}]}\n\n'),
        ("no last blank line", b'data: {"choices": [{"delta": {"content": "a"}}]}\n\n'),
        (
            "CRLF",
            b": hello\r\n\r\n"
            + b'data: {"choices": [{"delta": {"content": "a"}}]}\r\n\r\n' * 2
            + b"data: [DONE]\r\n\r\n",
        ),
    ],
)
def test_only_what_we_asked_for_is_taken_out(name: str, shown: bytes) -> None:
    tap = UsageTap(strip=True)
    assert through(tap, RECORDED[name], 3) == shown


def test_usage_in_an_event_without_an_end_is_counted_also_where_it_is_shown() -> None:
    tap = UsageTap(strip=False)
    through(tap, RECORDED["no last blank line"], 5)
    assert tap.usage == Usage(input=11, output=7)


def test_an_event_without_end_is_not_held_for_ever() -> None:
    tap = UsageTap(strip=True)
    passed = sum(len(tap.feed(b"x" * 1_000_000)) for _ in range(20))
    assert passed > 20_000_000 - LONGEST_EVENT - 1


@pytest.mark.parametrize("size", [65_536, 1_000_000, 8_388_619])
@pytest.mark.parametrize("length", [LONGEST_EVENT - 200, LONGEST_EVENT, LONGEST_EVENT + 1_000_000])
def test_usage_at_the_end_of_an_event_too_long_to_be_held_is_counted(length: int, size: int) -> None:
    response = {"id": "r", "output": [{"result": "i" * length}], "usage": USAGE, "user": None, "metadata": {"a": "b"}}
    whole = frames(*CHUNKS, {"type": "response.completed", "response": response})
    tap = UsageTap(strip=False)
    assert through(tap, whole, size) == whole
    assert tap.usage == COUNTED


@pytest.mark.parametrize("size", [65_536, 1_000_000, 8_388_619])
def test_of_an_event_too_long_to_be_held_it_is_known_whether_its_end_came(size: int) -> None:
    response = {
        "id": "r",
        "output": [{"result": "i" * (LONGEST_EVENT + 100_000), "url": "data:image/png;base64,aa"}],
        "usage": USAGE,
    }
    whole = frames({"type": "response.completed", "response": response}).removesuffix(b"data: [DONE]\n\n")
    for came, is_whole in ((whole, True), (whole[:-3], False), (whole[: LONGEST_EVENT + 50_000], False)):
        tap = UsageTap(strip=False)
        for start in range(0, len(came), size):
            tap.feed(came[start : start + size])
        assert is_over(tap.last, tap.unfinished) is is_whole


def test_what_says_nothing_is_no_last_event() -> None:
    tap = UsageTap(strip=True)
    finish = frames({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}).removesuffix(b"data: [DONE]\n\n")
    bare = frames({"choices": [], "usage": USAGE}).removesuffix(b"data: [DONE]\n\n")
    tap.feed(finish)
    tap.feed(b": ping\n\n" + bare)
    assert is_over(tap.last, tap.unfinished)


def test_what_only_looks_like_usage_at_the_end_of_such_an_event_is_none() -> None:
    tap = UsageTap(strip=False)
    whole = frames({"response": {"output": ["x" * LONGEST_EVENT * 2, '"usage":{"prompt_tokens":9}'], "usage": "none"}})
    assert through(tap, whole, 1_000_000) == whole
    assert tap.usage is None


def test_an_event_of_many_tokens_is_as_many() -> None:
    tap = UsageTap(strip=False)
    chunk = {
        "id": "c",
        "object": "chat.completion.chunk",
        "choices": [{"index": 0, "delta": {"content": "word " * 400}}],
    }
    for _ in range(10):
        tap.feed(frames(chunk).removesuffix(b"data: [DONE]\n\n"))
    assert 4_500 < tap.tokens < 5_500


def test_what_stands_around_the_text_is_none_of_it() -> None:
    begun = {"type": "response.created", "response": {"instructions": ["Be brief."] * 200}}
    parts = [{"type": "response.output_text.delta", "delta": "word ", "logprobs": [{"token": "x" * 300}]}] * 10
    tap = UsageTap(strip=False)
    tap.feed(frames(begun, *parts))
    assert tap.tokens == len(parts) + 2


def test_a_long_event_in_small_pieces_is_searched_once() -> None:
    tap, begun = UsageTap(strip=False), time.process_time()
    for _ in range(20_000):
        tap.feed(b"x" * 300)
    assert time.process_time() - begun < 3, "copied each time it would be 60 gigabytes"
