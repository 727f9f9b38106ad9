"""Errors as OpenAI's clients know them: `{"error": {"message", "type", "param", "code"}}`, and their headers."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import msgspec

from daehwa.accounts.errors import BudgetExceeded, KeyRefused, RateExceeded
from daehwa.conversation.errors import DaehwaError, ProviderError
from daehwa.gateway.rates import rate_headers
from daehwa.server.asgi import Headers, Response, json_response
from daehwa.server.errors import error_headers, status_of

_TYPES: Final[Mapping[type[DaehwaError], str]] = {
    BudgetExceeded: "insufficient_quota",
    RateExceeded: "rate_limit_error",
}


class OpenAIError(msgspec.Struct, frozen=True):
    """What is wrong: a sentence, OpenAI's kind of error, the field where there is one, and our stable name of it."""

    message: str
    type: str
    param: str | None
    code: str | None


class OpenAIErrorAnswer(msgspec.Struct, frozen=True):
    """The body of an error of this server, in OpenAI's shape."""

    error: OpenAIError


def error_body(error: DaehwaError) -> OpenAIErrorAnswer:
    """Return an error's body."""
    kind = _TYPES.get(type(error))
    if kind is None:
        is_ours = status_of(type(error)) >= HTTPStatus.INTERNAL_SERVER_ERROR
        kind = "server_error" if is_ours else "invalid_request_error"
    return OpenAIErrorAnswer(OpenAIError(error.told, kind, error.param, error.type))


def error_event(error: DaehwaError) -> bytes:
    """Return an error as it stands in a stream whose head is out."""
    return b"data: " + msgspec.json.encode(error_body(error)) + b"\n\n"


def error_response(error: DaehwaError) -> Response:
    """Return an error as an answer. What waiting does not help is not to be tried again."""
    headers: Headers = error_headers(error)
    if isinstance(error, KeyRefused):
        headers.append((b"www-authenticate", b"Bearer"))
    if isinstance(error, BudgetExceeded):
        headers.append((b"x-should-retry", b"false"))
    if isinstance(error, RateExceeded):
        headers += [
            (name.encode(), value.encode())
            for name, value in rate_headers(error.counted, error.limit, 0, error.retry_after)
        ]
    if isinstance(error, RateExceeded | ProviderError) and error.retry_after is not None:
        headers.append((b"retry-after", b"%d" % max(1, round(error.retry_after))))
        headers.append((b"retry-after-ms", b"%d" % max(1, round(error.retry_after * 1000))))
    return json_response(error_body(error), status_of(type(error)), headers)
