"""A stream as an upstream writes it."""

import json
from typing import Any

USAGE: dict[str, Any] = {
    "prompt_tokens": 11,
    "completion_tokens": 7,
    "total_tokens": 18,
    "prompt_tokens_details": {"cached_tokens": 3},
    "completion_tokens_details": {"reasoning_tokens": 2},
}
TEXT = ["Hello", ' "usage": {', ',"usage":null', " 안녕", "\n\n"]
CHUNKS: list[dict[str, Any]] = [
    {"id": "c", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": text}}]}
    for text in TEXT
]


def frames(*data: object) -> bytes:
    """Return data as events, and the end."""
    events = [b"data: " + json.dumps(each, separators=(",", ":")).encode() + b"\n\n" for each in data]
    return b"".join(events) + b"data: [DONE]\n\n"
