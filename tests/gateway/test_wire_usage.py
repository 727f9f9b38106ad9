"""What an upstream says it counted is read in every form that is about, whatever else is odd."""

from typing import Any

import msgspec
import pytest

from daehwa.conversation.messages import Usage
from daehwa.gateway.wire_usage import Said, said_in

COUNTED = Usage(input=11, output=7, cached=3, reasoning=2)
DEEPSEEK = {
    "prompt_tokens": 11,
    "completion_tokens": 7,
    "prompt_cache_hit_tokens": 3,
    "prompt_cache_miss_tokens": 8,
    "completion_tokens_details": {"reasoning_tokens": 2},
}


def tokens_in(body: Any) -> Usage | None:
    counted = said_in(msgspec.json.encode(body)).counted
    return None if counted is None else counted.tokens


def test_the_younger_endpoints_have_other_names_for_it() -> None:
    tokens = {"input_tokens": 11, "output_tokens": 7}
    details = {"input_tokens_details": {"cached_tokens": 3}, "output_tokens_details": {"reasoning_tokens": 2}}
    assert tokens_in({"usage": {**tokens, **details}}) == COUNTED
    assert tokens_in({"usage": {"type": "duration", "seconds": 3}}) is None


@pytest.mark.parametrize(
    "usage",
    [
        DEEPSEEK,
        {**DEEPSEEK, "prompt_tokens_details": None},
        {**DEEPSEEK, "prompt_tokens_details": {"audio_tokens": 0}},
        {**DEEPSEEK, "prompt_tokens_details": {"cached_tokens": 3}},
    ],
)
def test_cached_tokens_are_found_where_deepseek_says_them(usage: dict[str, Any]) -> None:
    assert tokens_in({"usage": usage}) == COUNTED


@pytest.mark.parametrize(
    ("usage", "counted"),
    [
        # xAI's, which names what was thought as well, and Gemini's, which does not; one thought until its limit.
        (
            {"completion_tokens": 9, "total_tokens": 135, "completion_tokens_details": {"reasoning_tokens": 94}},
            Usage(input=32, output=103, reasoning=94),
        ),
        ({"completion_tokens": 9, "total_tokens": 135}, Usage(input=32, output=103)),
        ({"total_tokens": 135}, Usage(input=32, output=103)),
        # What was cached is sometimes beside the prompt.
        (
            {"completion_tokens": 9, "total_tokens": 1041, "prompt_tokens_details": {"cached_tokens": 1000}},
            Usage(input=1032, output=9, cached=1000),
        ),
        # However little it is, and whatever the sum has of it.
        (
            {"completion_tokens": 9, "total_tokens": 61, "prompt_tokens_details": {"cached_tokens": 20}},
            Usage(input=52, output=9, cached=20),
        ),
        *(
            (
                {"completion_tokens": 9, "prompt_tokens_details": {"cached_tokens": 1000}, **total},
                Usage(input=1032, output=9, cached=1000),
            )
            for total in ({"total_tokens": 41}, {})
        ),
        (
            {
                "completion_tokens": 9,
                "total_tokens": 61,
                "prompt_tokens_details": {"cached_tokens": 20},
                "completion_tokens_details": {"reasoning_tokens": 20},
            },
            Usage(input=32, output=29, cached=20, reasoning=20),
        ),
        ({"completion_tokens": 9, "total_tokens": 0}, Usage(input=32, output=9)),
        ({"completion_tokens": 9, "total_tokens": None}, Usage(input=32, output=9)),
    ],
)
def test_what_was_thought_is_found_where_it_stands_in_the_sum_alone(usage: dict[str, Any], counted: Usage) -> None:
    assert tokens_in({"usage": {"prompt_tokens": 32, **usage}}) == counted
    assert tokens_in({"usage": {"completion_tokens": 9, "total_tokens": 135}}) == Usage(output=9)
    assert tokens_in({"usage": {"prompt_tokens": 0, "total_tokens": 135}}) == Usage(), "as embeddings may have it"


def test_cached_tokens_are_found_where_moonshot_says_them() -> None:
    usage = {"prompt_tokens": 19, "completion_tokens": 13, "total_tokens": 32, "cached_tokens": 12}
    assert tokens_in({"usage": usage}) == Usage(input=19, output=13, cached=12)
    details = {"prompt_tokens_details": {"cached_tokens": 7}}
    assert tokens_in({"usage": {**usage, **details}}) == Usage(input=19, output=13, cached=7)


def test_what_a_research_read_and_thought_is_found_where_perplexity_says_it() -> None:
    usage = {"prompt_tokens": 33, "completion_tokens": 7163, "total_tokens": 7196, "reasoning_tokens": 73_997}
    found = Usage(input=33 + 15_310, output=7163 + 73_997, reasoning=73_997)
    assert tokens_in({"usage": {**usage, "citation_tokens": 15_310}}) == found
    assert tokens_in({"usage": {**usage, "citation_tokens": None}}) == Usage(input=33, output=7163)


def test_how_long_a_recording_was_is_found_where_mistral_says_it() -> None:
    usage = {"prompt_audio_seconds": 203, "prompt_tokens": 4, "completion_tokens": 635, "total_tokens": 3264}
    said = said_in(msgspec.json.encode({"text": "Hi", "usage": usage}))
    assert said.seconds == 203
    assert tokens_in({"usage": usage}) == Usage(input=4, output=635)


FLOATS = {
    "prompt_tokens": 11.0,
    "completion_tokens": 7.0,
    "prompt_tokens_details": {"cached_tokens": 3.0},
    "completion_tokens_details": {"reasoning_tokens": 2.0},
}


@pytest.mark.parametrize(
    ("usage", "counted"),
    [
        (FLOATS, COUNTED),
        ({**FLOATS, "prompt_tokens_details": []}, Usage(input=11, output=7, reasoning=2)),
        ({**FLOATS, "prompt_tokens_details": {"cached_tokens": []}}, Usage(input=11, output=7, reasoning=2)),
        ({**FLOATS, "prompt_tokens": "11"}, COUNTED),
        ({**FLOATS, "prompt_tokens": 11.5}, Usage(output=7, cached=3, reasoning=2)),
        ({**DEEPSEEK, "seconds": "long", "input_tokens": {}}, COUNTED),
        ({**DEEPSEEK, "seconds": [], "more": {"deep": [[]]}}, COUNTED),
        ([], None),
        ("11", None),
        ({"prompt_tokens": True}, None),
    ],
)
def test_an_odd_count_leaves_the_others_as_they_are(usage: Any, counted: Usage | None) -> None:
    assert tokens_in({"usage": usage}) == counted
    assert tokens_in({"type": "response.completed", "response": {"usage": usage}}) == counted


@pytest.mark.parametrize("odd", [{"response": "r"}, {"response": []}, {"data": {}}, {"duration": {}}, {"choices": "c"}])
def test_whatever_is_odd_beside_the_usage_is_no_matter(odd: dict[str, Any]) -> None:
    assert tokens_in({"usage": DEEPSEEK, **odd}) == COUNTED
    assert said_in(msgspec.json.encode({"error": "No.", **odd})).is_error


def test_seconds_are_found_beside_what_is_odd() -> None:
    said = said_in(b'{"duration": 62.5, "usage": [], "data": 3, "model": "heard"}')
    assert (said.seconds, said.answered_by, said.counted) == (62.5, "heard", None)


@pytest.mark.parametrize("body", [b"[]", b"not json", b'{"usage": {', b'{"data": 1, "more": ' + b"[" * 100_000])
def test_what_is_no_body_says_nothing(body: bytes) -> None:
    assert said_in(body) == Said()
