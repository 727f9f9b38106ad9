"""How the OpenAI-like upstream fails: the model's name says it, so that every endpoint fails in every way."""

import json
from collections.abc import Callable
from typing import Any

from openai_like.wording import HEADERS, KEY, Json, as_json, data
from upstream import CUT, Answer, Step

SLOW_SECONDS = 0.2
HANGS_SECONDS = 60.0
_HTML = (
    b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n"
    b"<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)
ERRORS: dict[str, tuple[int, str, str, str | None, str | None]] = {
    "fails-400": (
        *(400, "This model's maximum context length is 8192 tokens."),
        *("invalid_request_error", "context_length_exceeded", "messages"),
    ),
    "fails-401": (401, f"Incorrect API key provided: {KEY}.", "invalid_request_error", "invalid_api_key", None),
    "fails-403": (
        *(403, "Country, region, or territory not supported"),
        *("request_forbidden", "unsupported_country_region_territory", None),
    ),
    "fails-403-key": (403, "Your API key lacks the scope model.request.", "invalid_request_error", None, None),
    "fails-404": (404, "The model does not exist.", "invalid_request_error", "model_not_found", "model"),
    "fails-409": (409, "The resource is locked.", "invalid_request_error", "conflict", None),
    "fails-413": (413, "The request is too large.", "invalid_request_error", "request_too_large", None),
    "fails-422": (422, "Unprocessable entity.", "invalid_request_error", None, "temperature"),
    "fails-429": (429, "Rate limit reached for requests.", "requests", "rate_limit_exceeded", None),
    "fails-500": (500, "The server had an error.", "server_error", None, None),
    "fails-503": (503, "The engine is overloaded.", "server_error", "overloaded", None),
}
"""Status, message, type, code, param by the model's name."""
STATUSES = {**{name: error[0] for name, error in ERRORS.items()}, "fails-html": 502}
MIDWAY = ("fails-cut", "fails-inside")
"""These begin well."""


def error_of(model: str) -> Json:
    """Return the error's body."""
    _, message, kind, code, param = ERRORS[model]
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def fault(model: Any, whole: Callable[[], Answer]) -> Answer | None:
    """Return how a model of this name fails; None where it does not. `whole` is what it would answer."""
    if model in ERRORS:
        more = {"retry-after": "1", "retry-after-ms": "30"} if model == "fails-429" else {}
        if model == "fails-429":
            more["x-ratelimit-remaining-requests"] = "0"
        return as_json(error_of(model), ERRORS[model][0], more)
    if model == "fails-html":
        return Answer([_HTML], 502, {"content-type": "text/html", "server": "nginx"})
    if model in MIDWAY:
        return _midway(whole(), says=model == "fails-inside")
    if model == "fails-hanging":
        begun = whole()
        return Answer([*list(begun.steps)[:3], HANGS_SECONDS], 200, begun.headers)
    if model == "fails-slow":
        late = whole()
        return Answer(late.steps, late.status, late.headers, late.framing, before=SLOW_SECONDS)
    return None


def _midway(answer: Answer, *, says: bool) -> Answer:
    """Break an answer off after its beginning; or say an error in it, although its head said that all is well."""
    error = {
        "message": "The server had an error while it answered.",
        "type": "server_error",
        "param": None,
        "code": None,
    }
    steps: list[Step] = list(answer.steps)
    if answer.headers["content-type"].startswith("text/event-stream"):
        begun = steps[:3]
        return Answer([*begun, data({"error": error})] if says else [*begun, 0.02, CUT], 200, answer.headers)
    if says:
        return as_json({"error": error})
    first = steps[0]
    assert isinstance(first, bytes)
    return Answer([first[: len(first) // 2], 0.02, CUT], 200, answer.headers)


def refused(message: str, status: int = 400, code: str | None = None) -> Answer:
    """Return a refusal of a request that cannot be meant."""
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    return Answer([json.dumps({"error": error}).encode()], status, {**HEADERS, "content-type": "application/json"})
