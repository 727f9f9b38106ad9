"""Whether an answer is whole, told by itself. A body without a length ends where its connection does, however that came
about, and a proxy may have put such a body into a frame of its own.

How this works and why. A stream says its end: a chat or a completion by a `finish_reason` or `[DONE]`, as the page goes
by too, the Responses API by an event of its own. What is of none of these kinds is not judged.
"""

from typing import Any, Final

import msgspec

from daehwa.gateway.ports import Endpoint

SAY_THEIR_END: Final[frozenset[Endpoint]] = frozenset({"chat/completions", "completions", "responses"})
"""The endpoints whose streams say when they are over."""

_DONE: Final = b"[DONE]"
_RESPONSE: Final = "response."
_LAST_OF_RESPONSE: Final = frozenset(f"response.{how}" for how in ("completed", "incomplete", "failed", "cancelled"))


class _Choice(msgspec.Struct):
    finish_reason: Any = None


class _Event(msgspec.Struct):
    type: Any = None
    choices: list[_Choice] | None = None


_decode_event = msgspec.json.Decoder(_Event).decode
_skip = msgspec.json.Decoder(msgspec.Raw).decode


def is_over(last: bytes, unfinished: bytes) -> bool:
    """Whether a stream of these endpoints came to its end. `last` is the data of its last whole event, `unfinished` of
    one that nothing ends.
    """
    if unfinished:
        return _may_be_last(unfinished, unreadable=False)
    return bool(last) and _may_be_last(last, unreadable=True)


def _may_be_last(data: bytes, *, unreadable: bool) -> bool:
    """Whether nothing has to follow this; `unreadable` is said of what is no JSON."""
    if data == _DONE:
        return True
    try:
        event = _decode_event(data)
    except msgspec.ValidationError:
        return True
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return unreadable
    if event.choices:
        return any(choice.finish_reason for choice in event.choices)
    return not str(event.type).startswith(_RESPONSE) or event.type in _LAST_OF_RESPONSE


def is_json(body: bytes) -> bool:
    """Whether a body is JSON to its end, as clients read it: also with a NaN, or in UTF-16."""
    try:
        _skip(body)
    except RecursionError:
        return True
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _is_lax_json(body)
    return True


def _is_lax_json(body: bytes) -> bool:
    import json  # noqa: PLC0415 - each start pays for imports

    try:
        json.loads(body)
    except RecursionError:
        return True
    except ValueError:
        return False
    return True
