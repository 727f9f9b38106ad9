"""Guesses how many tokens a request has, from its bytes: for reservations, rates, and where no upstream counts.

How this works and why. The tokenizers differ between models, and asking one costs more than the rest of the call. Three
bytes of UTF-8 count as a token: English has four and more, source code and JSON three, Korean one letter of three bytes
for a token or less, so that a reservation is seldom too small. Payloads in base64 are not text: an image counts by the
detail that is asked for, wherever it comes from, since its size is not looked at; a recording or a file counts by the
length of its base64, and one that is only named as `UNSEEN_TOKENS`. Only the fields that hold a payload count like
that: whoever calls a message a file has its text counted all the same. A prompt may be a list of tokens, which may be
shorter than three bytes; so there is no less than a token for each comma.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from daehwa.conversation.image_tokens import IMAGE_TOKENS
from daehwa.conversation.searching import UNSEEN_TOKENS

BYTES_PER_TOKEN = 3
_IMAGE_TOKENS_OF = {"low": 3_000, "high": 4_000}
"""At most: 2,833 with gpt-4o-mini, and 1,536 patches of 2.46 tokens."""
_CHARACTERS = {"input_audio": 100, "audio_url": 100}
_FILE_CHARACTERS = 5
"""Characters of base64 that are a token: of a text five, of a PDF, whose pages are images too, seldom fewer."""

MOST_COMMAS = 100_000
"""Of a body with more of them all bytes count: to look into each of its parts would hold everybody else up."""

_PAYLOADS = tuple(
    b'"%b"' % field
    for field in (b"image_url", b"input_audio", b"file_data", b"file_id", b"file_url", b"audio_url", b"video_url")
)
"""An image has its address or a file's id."""
_NUMBERED = b"\\u00"
"""May be a letter of one of these words, written as its number."""


def spelled(*words: bytes) -> re.Pattern[bytes]:
    """Return a pattern of texts in JSON that are one of these words, each letter as itself or as its number."""
    return re.compile(b"|".join(b'"%b"' % b"".join(map(_letter, word)) for word in words))


def _letter(code: int) -> bytes:
    return b"(?:%b|\\\\u00(?i:%02x))" % (re.escape(bytes([code])), code)


_IMAGE_WORDS = spelled(b"image_url", b"input_image")
_NO_TEXT = frozenset({"image_url", "input_image"})
_VIDEOS = frozenset({"video_url", "input_video"})
_FILES = frozenset({"input_audio", "audio_url", "input_file", "file"}) | _VIDEOS
_IMAGE_FIELDS = frozenset({"image_url", "file_id", "detail"})
_HOLDERS = ("file", "input_audio", "audio_url")
"""The fields in which a file is an object of its own."""
_FILE_FIELDS = frozenset({*_HOLDERS, "file_data", "file_id", "file_url", "filename", "video_url"})
_ADDRESSES = ("file_data", "data", "url")
"""Where a file's data is, or its address."""


def tokens_of(length: int) -> int:
    """Return how many tokens a text of so many bytes has, roughly and rather too many."""
    return -(-length // BYTES_PER_TOKEN)


def input_tokens(body: bytes, *, payloads: bool) -> int:
    """Return how many tokens a JSON request has: its text in all of its fields, its payloads by their kind. `payloads`
    is what `has_payloads` says of it.
    """
    commas = body.count(b",")
    if commas <= MOST_COMMAS and (payloads or body.find(_NUMBERED) >= 0):
        return _weight(msgspec.json.decode(body))
    return max(tokens_of(len(body)), commas)


def has_payloads(body: bytes) -> bool:
    """Whether a request most likely shows more than a text. How much of that is read is hardly known."""
    return any(body.find(mark) >= 0 for mark in _PAYLOADS)


def _weight(value: Any) -> int:
    match value:
        case str():
            return tokens_of(len(value.encode("utf-8", "surrogatepass")))
        case list():
            return sum(map(_weight, value))
        case {"type": kind, **more} if isinstance(kind, str) and kind in _NO_TEXT:
            return _image(more) + _fields(more, but=_IMAGE_FIELDS)
        case {"type": kind, **more} if isinstance(kind, str) and kind in _FILES:
            return _file(kind, more) + _fields(more, but=_FILE_FIELDS)
        case dict():
            return _fields(value)
        case _:
            return 1


def _image(part: Mapping[Any, Any]) -> int:
    """Return how many tokens an image is. Chat says the detail beside the address, the younger endpoints outside."""
    where = part.get("image_url")
    detail = where.get("detail") if isinstance(where, dict) else part.get("detail")
    return _IMAGE_TOKENS_OF.get(detail, IMAGE_TOKENS) if isinstance(detail, str) else IMAGE_TOKENS


def _file(kind: str, part: Mapping[Any, Any]) -> int:
    """Return how many tokens a recording or a file is. How long a video plays nobody says."""
    if kind in _VIDEOS:
        return UNSEEN_TOKENS
    payload = sum(_length(inner) for name, inner in part.items() if name in _FILE_FIELDS)
    unseen = UNSEEN_TOKENS if _is_named(part) or any(_is_named(part.get(name)) for name in _HOLDERS) else 0
    return unseen + payload // _CHARACTERS.get(kind, _FILE_CHARACTERS) + 1


def _is_named(file: Any) -> bool:
    """Whether a file is somewhere else; its data may be an address, too, as OpenRouter and Qwen have it."""
    if not isinstance(file, dict):
        return False
    return bool(file.get("file_id") or file.get("file_url") or any(_is_address(file.get(name)) for name in _ADDRESSES))


def _is_address(data: Any) -> bool:
    return isinstance(data, str) and data[:4].lower() == "http"


def images_in(body: bytes) -> int:
    """Return about how many images a request shows: each has two of these words."""
    if body.find(_NUMBERED) >= 0:
        return (sum(1 for _ in _IMAGE_WORDS.finditer(body)) + 1) // 2
    return (body.count(b'"image_url"') + body.count(b'"input_image"') + 1) // 2


def _fields(value: Mapping[Any, Any], *, but: frozenset[str] = frozenset()) -> int:
    return sum(tokens_of(len(name)) + _weight(inner) for name, inner in value.items() if name not in but)


def _length(value: Any) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(map(_length, value.values()))
    return sum(map(_length, value)) if isinstance(value, list) else 0
