"""Tables at the terminal, whatever script their cells are in."""

import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime

from daehwa.cli.terminal import plain

_LAST_MS = 253_402_300_799_999
"""The last moment of the year 9999, with which calendars end; an import may have brought numbers beyond it."""


def table(rows: list[tuple[str, ...]]) -> Iterator[str]:
    """Yield a table's lines, its columns as wide as they must be. What people called themselves is shown plainly."""
    rows = [tuple(map(plain, row)) for row in rows]
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()


def _width(text: str) -> int:
    """Return how many columns a text takes at a terminal: a letter of Korean, Japanese or Chinese takes two."""
    text = unicodedata.normalize("NFC", text)  # Korean may be written in parts that are shown as one
    taken = {"W": 2, "F": 2}
    return sum(
        taken.get(unicodedata.east_asian_width(letter), 1) for letter in text if not unicodedata.combining(letter)
    )


def counted(number: int, what: str) -> str:
    """Return a number of things, such as "1 call" and "1,200 calls"."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def day(ms: int) -> str:
    """Return a moment for a person to read, in UTC."""
    return datetime.fromtimestamp(min(ms, _LAST_MS) / 1000, UTC).strftime("%Y-%m-%d %H:%M")
