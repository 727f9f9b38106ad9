"""The fields of a JSON request, as they came: found, and read one by one where they are needed."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec

from daehwa.conversation.bodies import not_json
from daehwa.conversation.errors import InvalidRequest

T = TypeVar("T")

# Decoders are made once: making one takes longer than its work.
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_DECODE: Final[dict[type, Callable[[msgspec.Raw], Any]]] = {
    str: msgspec.json.Decoder(str | None).decode,
    bool: msgspec.json.Decoder(bool | None).decode,
    float: msgspec.json.Decoder(int | float | None).decode,
    dict: msgspec.json.Decoder(dict[str, Any] | None).decode,
    list: msgspec.json.Decoder(list[str] | None).decode,
}
_WORDS: Final[dict[type, str]] = {
    str: "a text",
    float: "a number",
    bool: "true or false",
    dict: "an object",
    list: "a list of texts",
}


def fields_of(body: bytes, read: frozenset[str]) -> dict[str, msgspec.Raw]:
    """Return the fields by name. `read` are those that are looked at here. Raise `InvalidRequest`."""
    try:
        # Its text is checked here too: what is passed on untouched is valid UTF-8.
        body.decode()
        fields = _decode_fields(body)
    except msgspec.ValidationError:
        raise InvalidRequest("The body must be a JSON object.") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise not_json(body) from None
    for name in fields:
        if not (name.isascii() and name.islower()):
            _refuse_other_spelling(name, read)
    return fields


def _refuse_other_spelling(name: str, read: frozenset[str]) -> None:
    """Raise where a field is one that is read here but for its letters' case: Go's decoder, and so any upstream written
    in Go, takes it for that one, the last of them counts, and another model would answer than was allowed.
    """
    meant = name.casefold()
    if meant != name and meant in read:
        raise InvalidRequest(f"Write '{meant}' in small letters: some upstreams take '{name}' for it.", param=meant)


def optional(fields: dict[str, msgspec.Raw], name: str, kind: type[T]) -> T | None:
    """Return a field's value, None where it is missing or null. Raise `InvalidRequest` where it is of another kind."""
    raw = fields.get(name)
    if raw is None:
        return None
    try:
        value: T | None = _DECODE[kind](raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidRequest(f"'{name}' must be {_WORDS[kind]}.", param=name) from None
    return value


def whole(fields: dict[str, msgspec.Raw], name: str, *, least: int, most: int) -> int | None:
    """Return a whole number, also one that is written as 2.0. Raise `InvalidRequest`."""
    raw = fields.get(name)
    if raw is None:
        return None
    try:
        value: float | None = _DECODE[float](raw)
    except msgspec.DecodeError:
        value = most + 1
    if value is None:
        return None
    if not least <= value <= most or value != int(value):
        raise InvalidRequest(f"'{name}' must be a whole number from {least} to {most}.", param=name)
    return int(value)
