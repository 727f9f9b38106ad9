"""The `extra_body` in a request's own JSON: LiteLLM lays its fields over the others, as OpenAI's packages do before
they send anything. What is read of a request, to let it pass and to reserve for it, must not be another one there.
"""

from typing import Final

import msgspec

from daehwa.conversation.errors import InvalidRequest

EXTRA_BODY: Final = "extra_body"
_fields_of = msgspec.json.Decoder(dict[str, msgspec.Raw] | None).decode


def check_laid_over(raw: msgspec.Raw, read: frozenset[str]) -> None:
    """Raise `InvalidRequest` where it has one of the fields that are `read`, or is no object: Python lays a list of
    pairs over others likewise. Other fields pass, as Google's own do. Letters' case is no matter, as to an upstream
    behind that is written in Go.
    """
    try:
        given = _fields_of(raw) or {}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidRequest("'extra_body' must be an object.", param=EXTRA_BODY) from None
    if found := next((name for name in given if name.casefold() in read), None):
        raise InvalidRequest(
            f"Put '{found}' beside the other fields: in 'extra_body' it would be read after its cost was reserved.",
            param=EXTRA_BODY,
        )
