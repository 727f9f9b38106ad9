"""What an upstream says it counted is read in every form that is about, whatever else is odd."""

from typing import Any

import msgspec
import pytest

from daehwa.conversation.messages import Usage
from daehwa.gateway.wire_usage import said_in

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
