"""The `extra_body` in a request's own JSON: LiteLLM lays its fields over the others, as OpenAI's packages do before
they send anything. What is read of a request, to let it pass and to reserve for it, must not be another one there.
"""

from typing import Final

import msgspec

from daehwa.conversation.errors import InvalidRequest
from daehwa.gateway.ports import Endpoint

EXTRA_BODY: Final = "extra_body"
_READ_OF_RESPONSES: Final = frozenset({"background", "conversation", "instructions", "previous_response_id", "tools"})
_READ: Final = frozenset({"input", "messages", "model", "prompt", "stream", "stream_options", EXTRA_BODY})
_fields_of = msgspec.json.Decoder(dict[str, msgspec.Raw] | None).decode


def check_laid_over(raw: msgspec.Raw, endpoint: Endpoint, costs_more: frozenset[str]) -> None:
    """Raise `InvalidRequest` where it has a field that is read, or one of those that cost more, or is no object: Python
    lays a list of pairs over others likewise. Other fields pass, as Google's own do. Letters' case is no matter, as to
    an upstream behind that is written in Go.
    """
    try:
        given = _fields_of(raw) or {}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidRequest("'extra_body' must be an object.", param=EXTRA_BODY) from None
    read = costs_more | _READ | (_READ_OF_RESPONSES if endpoint == "responses" else frozenset())
    if found := next((name for name in given if name.casefold() in read), None):
        raise InvalidRequest(
            f"Put '{found}' beside the other fields: in 'extra_body' it would be read after its cost was reserved.",
            param=EXTRA_BODY,
        )
