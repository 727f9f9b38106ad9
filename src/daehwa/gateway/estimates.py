"""Guesses how many tokens a request has, from its bytes: for reservations, rates, and where no upstream counts.

How this works and why. The tokenizers differ between models, and asking one costs more than the rest of the call. Three
bytes of UTF-8 count as a token: English has four and more, source code and JSON three, Korean one letter of three bytes
for a token or less, so that a reservation is seldom too small. Payloads in base64 are not text: an image counts as
`IMAGE_TOKENS` wherever it comes from, a recording or a file as one token for `FILE_CHARACTERS` of its base64. Only the
fields that hold a payload count like that: whoever calls a message a file has its text counted all the same. A prompt
may be a list of tokens, which may be shorter than three bytes; so there is no less than a token for each comma.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

BYTES_PER_TOKEN = 3
IMAGE_TOKENS = 1_600
"""About what a photograph of 1,024 by 1,024 costs at its highest detail with the models that count the most."""
FILE_CHARACTERS = 100
AUDIO_BYTES_PER_SECOND = 8_000
"""Bytes of an upload that count as a second: 64 kbit/s, as speech is often kept."""

MOST_COMMAS = 100_000
"""Of a body with more of them all bytes count: to look into each of its parts would hold everybody else up."""

_PAYLOADS = (b'"image_url"', b'"input_image"', b'"input_audio"', b'"file_data"')
_NO_TEXT = frozenset({"image_url", "input_image"})
_FILES = frozenset({"input_audio", "input_file", "file"})
_IMAGE_FIELDS = frozenset({"image_url", "file_id", "detail"})
_FILE_FIELDS = frozenset({"input_audio", "file_data", "file_id", "file_url", "file", "filename"})


def tokens_of(length: int) -> int:
    """Return how many tokens a text of so many bytes has, roughly and rather too many."""
    return -(-length // BYTES_PER_TOKEN)


def input_tokens(body: bytes) -> int:
    """Return how many tokens a JSON request has: its text in all of its fields, its payloads by their kind."""
    commas = body.count(b",")
    if commas <= MOST_COMMAS and any(body.find(mark) >= 0 for mark in _PAYLOADS):
        return _weight(msgspec.json.decode(body))
    return max(tokens_of(len(body)), commas)


def _weight(value: Any) -> int:
    match value:
        case str():
            return tokens_of(len(value.encode("utf-8", "surrogatepass")))
        case list():
            return sum(map(_weight, value))
        case {"type": kind, **more} if isinstance(kind, str) and kind in _NO_TEXT:
            return IMAGE_TOKENS + _fields(more, but=_IMAGE_FIELDS)
        case {"type": kind, **more} if isinstance(kind, str) and kind in _FILES:
            payload = sum(_length(inner) for name, inner in more.items() if name in _FILE_FIELDS)
            return payload // FILE_CHARACTERS + 1 + _fields(more, but=_FILE_FIELDS)
        case dict():
            return _fields(value)
        case _:
            return 1


def _fields(value: Mapping[Any, Any], *, but: frozenset[str] = frozenset()) -> int:
    return sum(tokens_of(len(name)) + _weight(inner) for name, inner in value.items() if name not in but)


def _length(value: Any) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(map(_length, value.values()))
    return sum(map(_length, value)) if isinstance(value, list) else 0
