"""JSON that others wrote: what a strict decoder refuses of it, and what is deeply nested, is read all the same."""

import json
import re
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import msgspec

from daehwa.conversation.errors import InvalidRequest

Object: TypeAlias = dict[str, Any]

_decode = msgspec.json.Decoder().decode
# The stubs of the standard library leave it out.
_string: Final[Callable[[str, int, bool], tuple[str, int]]] = json.decoder.scanstring  # type: ignore[attr-defined]
_SPACE: Final = re.compile(r"[ \t\r\n]*+")
_SCALAR: Final = re.compile(r"[^\s,:\[\]{}\"]++")
DEPTH: Final = 200_000
"""So many brackets may stand in one another."""
_UNDECODABLE = (ValueError, RecursionError, StopIteration, IndexError)


class NotJson(InvalidRequest):
    """What should be JSON is none."""

    type = "not_json"

    def __init__(self) -> None:
        super().__init__("It is no JSON in UTF-8, or was cut off.")


def decoded(text: bytes) -> Any:
    """Return a value. Half characters (lone surrogates) and numbers that are none are kept as they are, and brackets
    may stand in one another `DEPTH` deep. Raise `NotJson`.
    """
    try:
        return _decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    for read in (json.loads, _deep):
        try:
            return read(text.decode("utf-8-sig"))
        except RecursionError:
            continue
        except ValueError:
            break
    raise NotJson


def _deep(text: str) -> Any:
    """Read a document without calling oneself. Only what is too deep for the others comes here."""
    try:
        value, end = _Deep(text).value()
    except _UNDECODABLE:
        raise ValueError from None
    if _skip(text, end) != len(text):
        raise ValueError
    return value


def _skip(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    return at if space is None else space.end()


class _Deep:
    """A document, and the objects and arrays that are open at the place where it is read."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._open: list[Any] = []
        self._keys: list[str | None] = []

    def value(self) -> tuple[Any, int]:
        at = _skip(self._text, 0)
        while True:
            found, at, is_open = self._begin(at)
            if is_open:
                at = _skip(self._text, at)
                if self._text[at] not in "]}":
                    at = self._key(at)
                    continue
                found, at = self._close(at)
            while self._open:
                self._put(found)
                at = _skip(self._text, at)
                if self._text[at] == ",":
                    at = self._key(_skip(self._text, at + 1))
                    break
                found, at = self._close(at)
            else:
                return found, at

    def _begin(self, at: int) -> tuple[Any, int, bool]:
        sign = self._text[at]
        if sign in "{[":
            if len(self._open) >= DEPTH:
                raise ValueError
            self._open.append({} if sign == "{" else [])
            self._keys.append(None)
            return None, at + 1, True
        if sign == '"':
            text, end = _string(self._text, at + 1, False)
            return text, end, False
        scalar = _SCALAR.match(self._text, at)
        if scalar is None:
            raise ValueError
        return json.loads(scalar[0]), scalar.end(), False

    def _key(self, at: int) -> int:
        """Read the key that comes next, if one does, and return where its value begins."""
        if isinstance(self._open[-1], list):
            return at
        if self._text[at] != '"':
            raise ValueError
        self._keys[-1], at = _string(self._text, at + 1, False)
        at = _skip(self._text, at)
        if self._text[at] != ":":
            raise ValueError
        return _skip(self._text, at + 1)

    def _put(self, value: Any) -> None:
        into = self._open[-1]
        if isinstance(into, list):
            into.append(value)
        else:
            into[self._keys[-1]] = value

    def _close(self, at: int) -> tuple[Any, int]:
        found = self._open.pop()
        self._keys.pop()
        if self._text[at] != ("]" if isinstance(found, list) else "}"):
            raise ValueError
        return found, at + 1


def as_json(value: object) -> str:
    """Return a value as JSON; what is too deep to be written is left away."""
    try:
        return json.dumps(value, ensure_ascii=False)
    except RecursionError:
        return "{}"


def text_in(value: object, *names: str) -> str:
    """Return the first of these fields that is a text with something in it, else an empty one."""
    return _field(value, names, lambda found: isinstance(found, str) and bool(found)) or ""


def object_in(value: object, name: str) -> Object:
    """Return a field that is an object, else an empty one."""
    return _field(value, (name,), lambda found: isinstance(found, dict)) or {}


def list_in(value: object, name: str) -> list[Any]:
    """Return a field that is an array, else an empty one."""
    return _field(value, (name,), lambda found: isinstance(found, list)) or []


def _field(value: object, names: tuple[str, ...], is_meant: Callable[[Any], bool]) -> Any:
    if not isinstance(value, dict):
        return None
    return next((found for name in names if is_meant(found := value.get(name))), None)
