"""Frozen values as rows of tables whose columns are their fields, and back. Tuples of texts are JSON."""

# ruff: noqa: S608 - what is put together are names of tables and fields of ours
import sqlite3
from collections.abc import Sequence
from functools import cache
from typing import Any, Final, TypeVar

import msgspec

T = TypeVar("T", bound=msgspec.Struct)

_LISTS: Final = frozenset({"claimed", "groups", "transports"})
_encoder = msgspec.json.Encoder()
_list_decoder = msgspec.json.Decoder(tuple[str, ...])


@cache
def columns(kind: type[msgspec.Struct], alias: str = "") -> str:
    """Return the columns of a value, as a SELECT names them."""
    return ", ".join(f"{alias}{name}" for name in kind.__struct_fields__)


def value_of(kind: type[T], row: Sequence[Any]) -> T:
    """Return a row as the value of this kind."""
    values = dict(zip(kind.__struct_fields__, row, strict=True))
    return kind(**{name: _list_decoder.decode(value) if name in _LISTS else value for name, value in values.items()})


def put(database: sqlite3.Connection, table: str, value: msgspec.Struct) -> None:
    """Keep a value in place of the one of the same key."""
    names = value.__struct_fields__
    database.execute(
        f"INSERT OR REPLACE INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})",
        [_column(name, getattr(value, name)) for name in names],
    )


def rewrite(database: sqlite3.Connection, table: str, value: msgspec.Struct) -> None:
    """Give the row of this id a value's other fields."""
    names = [name for name in value.__struct_fields__ if name != "id"]
    database.execute(
        f"UPDATE {table} SET ({', '.join(names)}) = ({', '.join('?' * len(names))}) WHERE id = ?",
        [*(_column(name, getattr(value, name)) for name in names), getattr(value, "id")],  # noqa: B009 - a struct with one
    )


def _column(name: str, value: Any) -> Any:
    return _encoder.encode(value).decode() if name in _LISTS else value
