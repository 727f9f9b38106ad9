"""Errors as OpenAI's clients know them: `{"error": {"message", "type", "param", "code"}}`, and their headers."""

from collections.abc import Mapping
from http import HTTPStatus
from math import ceil
from typing import Final

import msgspec

from daehwa.accounts.errors import BudgetExceeded, KeyRefused, RateExceeded
from daehwa.conversation.errors import (
    DaehwaError,
    ProviderAuthError,
    ProviderError,
    ProviderMalformedError,
    ProviderRateLimitError,
    ProviderRefusedError,
    TimeIsUp,
)
from daehwa.gateway.errors import AnswerTooLarge, IdempotencyKeyReused
from daehwa.gateway.rates import rate_headers
from daehwa.server.asgi import Headers, Response, json_response
from daehwa.server.errors import error_headers, status_of

_TYPES: Final[Mapping[type[DaehwaError], str]] = {
    BudgetExceeded: "insufficient_quota",
    RateExceeded: "rate_limit_error",
    ProviderRateLimitError: "rate_limit_error",
}
_UNAUTHORIZED: Final = "authentication_error"
"""OpenAI says `invalid_request_error` here too, by which LiteLLM takes a refused key for a bad request. Of 403 it makes
the best of just that: by any other type it is an error that its users try again.
"""
_FINAL: Final = (
    *(BudgetExceeded, AnswerTooLarge, IdempotencyKeyReused, TimeIsUp),
    *(ProviderAuthError, ProviderMalformedError, ProviderRefusedError),
)
"""What the same request meets again. OpenAI's clients try again by themselves after a 409, a 429 and a 5xx."""


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
    return OpenAIErrorAnswer(OpenAIError(error.told, _type_of(error), error.param, error.type))


def _type_of(error: DaehwaError) -> str:
    named = _TYPES.get(type(error))
    if named is not None:
        return named
    status = status_of(type(error))
    if status == HTTPStatus.UNAUTHORIZED:
        return _UNAUTHORIZED
    return "server_error" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request_error"


class OpenAIErrorEvent(msgspec.Struct, frozen=True, kw_only=True):
    """The event of an error in a stream of the Responses API, with the body of other streams beside: its readers go by
    either. Which number it has among the upstream's events is not known here.
    """

    type: str = "error"
    code: str | None
    message: str
    param: str | None
    sequence_number: int = 0
    error: OpenAIError


def error_event(error: DaehwaError, path: str) -> bytes:
    """Return an error as it stands in the stream of this path, whose head is out."""
    body = error_body(error)
    if not path.endswith("/responses"):
        return b"data: " + msgspec.json.encode(body) + b"\n\n"
    said = body.error
    event = OpenAIErrorEvent(code=said.code, message=said.message, param=said.param, error=said)
    return b"event: error\ndata: " + msgspec.json.encode(event) + b"\n\n"


def error_response(error: DaehwaError) -> Response:
    """Return an error as an answer. What waiting does not help is not to be tried again."""
    headers: Headers = error_headers(error)
    if isinstance(error, KeyRefused):
        headers.append((b"www-authenticate", b"Bearer"))
    if isinstance(error, _FINAL):
        headers.append((b"x-should-retry", b"false"))
    if isinstance(error, RateExceeded):
        headers += [
            (name.encode(), value.encode())
            for name, value in rate_headers(error.counted, error.limit, 0, error.retry_after)
        ]
    if isinstance(error, RateExceeded | ProviderError) and error.retry_after is not None:
        # Rounded up: who came a moment too early would be refused once more.
        headers.append((b"retry-after", b"%d" % max(1, ceil(error.retry_after))))
        headers.append((b"retry-after-ms", b"%d" % max(1, ceil(error.retry_after * 1000))))
    return json_response(error_body(error), status_of(type(error)), headers)
