"""The tap reads what a call is paid by, wherever the pieces of a stream are cut."""

import json

import pytest
from gateway.streams import CHUNKS, USAGE, frames

from daehwa.conversation.messages import Usage
from daehwa.gateway.tap import UsageTap, usage_of

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
    assert usage_of(json.dumps({"usage": usage}).encode()) == COUNTED
    assert usage_of(b'{"usage": {"type": "duration", "seconds": 3}}') is None
    assert usage_of(b"not json") is None
