"""What is wrong with the body of a request that cannot be read, in a sentence."""

import re
from typing import Final

from daehwa.conversation.errors import InvalidRequest

_LOOKED_THROUGH: Final = 256 * 1024
"""Bytes of a refused body: looking through tens of megabytes for the sake of a sentence would hold everybody up."""
# A surrogate that stands alone: a first half not before a second one, and a second not after a first. It begins with
# what is rare, so that the rest is skipped quickly. Compiled by the first body that cannot be read.
_HALF: Final = (
    rb"\\u[dD](?:[89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD])[c-fC-F][0-9a-fA-F]{2})"
)
_PLACE: Final = r"(?s)(.*) - at `\$\.?(.*)`$"


def problem_of(reason: str) -> tuple[str, str | None]:
    """Return what msgspec says is wrong, as a sentence goes on with it, and the field that it says it of; None where
    that is the whole.
    """
    place = re.match(_PLACE, reason)
    problem = (reason if place is None else place.group(1)).replace("`", "'")
    return problem[:1].lower() + problem[1:], (None if place is None else place.group(2)) or None


def not_json(body: bytes) -> InvalidRequest:
    """Return the error of a body that could not be read as JSON."""
    half = _half_in(body[:_LOOKED_THROUGH])
    if half is None:
        return InvalidRequest("The body is not valid JSON in UTF-8.")
    return InvalidRequest(
        f"The body is not valid JSON in UTF-8: it holds half a character, the lone surrogate {half}. "
        "Send characters such as emoji whole."
    )


def _half_in(body: bytes) -> str | None:
    for found in re.finditer(_HALF, body):
        before = body[max(0, found.start() - 64) : found.start()]
        if (len(before) - len(before.rstrip(b"\\"))) % 2 == 0:  # else the backslash is one that is written twice
            return found[0].decode()
    return None
