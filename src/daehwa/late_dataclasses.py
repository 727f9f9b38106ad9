"""Dataclasses that are made when each is first used, for the imports of a start that uses few of many.

How this works and why. `dataclass` writes the methods of a class as text and compiles that, some 0.5 ms each: for the
sixty of aiodynamo a fifth of a start on Lambda, where a request needs a dozen of them. So it leaves a class as it is
here, but for an `__init__` that first has the real decorator do its work. A class that has no instance yet is no
dataclass yet: `dataclasses.fields` finds nothing in it. Whatever asks an instance finds all of it.
"""

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")

_make = dataclasses.dataclass
_waiting: dict[type, dict[str, bool]] = {}
"""Classes that are to be dataclasses, with what their decorator was given."""


@contextmanager
def late_dataclasses() -> Iterator[None]:
    """Let `dataclass` put its work off, for what is imported meanwhile. Such a class is made in the thread that first
    uses it, without a lock: this is for what an event loop uses alone.
    """
    dataclasses.__dict__["dataclass"] = _late
    try:
        yield
    finally:
        dataclasses.__dict__["dataclass"] = _make


def _late(cls: type[T] | None = None, /, **options: bool) -> type[T] | Callable[[type[T]], type[T]]:
    def put_off(cls: type[T]) -> type[T]:
        if "__init__" in cls.__dict__ or options.get("slots"):  # it keeps its own, or another class takes its place
            _make_waiting(cls)
            return _make(**options)(cls)
        _waiting[cls] = options
        cls.__init__ = _first_init(cls)  # type: ignore[method-assign]  # until it is first called
        return cls

    return put_off if cls is None else put_off(cls)


def _first_init(cls: type) -> Callable[..., None]:
    def __init__(self: Any, *given: Any, **named: Any) -> None:  # noqa: N807 - it is one
        _make_waiting(cls)
        cls.__init__(self, *given, **named)  # type: ignore[misc]  # the one that was made just now

    return __init__


def _make_waiting(cls: type) -> None:
    """Make those of a class and its bases that wait. A dataclass takes over the fields of its bases, so they come
    first.
    """
    for base in reversed(cls.__mro__):
        if base in _waiting:
            del base.__init__  # type: ignore[misc]  # else the decorator keeps it
            _make(**_waiting.pop(base))(base)
