"""What the OpenAI-like answers are made of. The same request gives the same answer: ids come from what was asked."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from upstream import Answer

Json: TypeAlias = dict[str, Any]
KEY = "sk-the-upstreams-own-secret"
CREATED = 1_795_000_000
FINGERPRINT = "fp_0123456789"
HEADERS = {
    "openai-organization": "org-test",
    "openai-processing-ms": "12",
    "openai-version": "2020-10-01",
    "x-ratelimit-limit-requests": "5000",
    "x-ratelimit-limit-tokens": "2000000",
    "x-ratelimit-remaining-requests": "4999",
    "x-ratelimit-remaining-tokens": "1999000",
    "x-ratelimit-reset-requests": "12ms",
    "x-ratelimit-reset-tokens": "30ms",
    "x-request-id": "req_0123456789abcdef",
}
NOT_ASKED = ("model", "stream", "stream_options", "max_tokens", "max_completion_tokens", "max_output_tokens")


def identity(prefix: str, body: Mapping[str, Any]) -> str:
    """Return an id for an answer, of what makes it: neither the model's name nor how it travels."""
    asked = {name: value for name, value in body.items() if name not in NOT_ASKED}
    digest = hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode())
    return prefix + digest.hexdigest()[:24]


def pieces(said: str) -> list[str]:
    """Cut a text as a model's tokens would: each word with the space before it."""
    return [word for word in said.replace(" ", "\0 ").split("\0") if word]


def count(*texts: str) -> int:
    """Return how many tokens texts have."""
    return sum(len(pieces(text)) for text in texts)


def shortened(said: str, limit: int | None, stop: str | Sequence[str] | None) -> tuple[str, str]:
    """Return a text as far as its limits let it go, and why it ends."""
    for mark in [stop] if isinstance(stop, str) else stop or ():
        if mark in said:
            return said.partition(mark)[0], "stop"
    words = pieces(said)
    if limit is not None and len(words) > limit:
        return "".join(words[:limit]), "length"
    return said, "stop"


def sample(schema: Mapping[str, Any]) -> Any:  # noqa: PLR0911 - one return for each type
    """Return the plainest value that a JSON schema allows."""
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return sample(schema["anyOf"][0])
    match schema.get("type", "object"):
        case "object":
            return {name: sample(inner) for name, inner in schema.get("properties", {}).items()}
        case "array":
            return [sample(schema.get("items", {"type": "string"}))]
        case "integer":
            return 3
        case "number":
            return 2.5
        case "boolean":
            return True
        case _:
            return "Seoul"


def logprobs(words: Iterable[str], top: int) -> list[Json]:
    """Return the probabilities of tokens, and of `top` others for each."""
    return [_logprob(word) | {"top_logprobs": [_logprob(f"{word}{n}") for n in range(top)]} for word in words]


def _logprob(token: str) -> Json:
    return {"token": token, "logprob": -0.25, "bytes": list(token.encode())}


def as_json(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """Return a whole answer, written as OpenAI writes it: over lines, with spaces."""
    written = json.dumps(body, indent=2, ensure_ascii=False).encode() + b"\n"
    return Answer([written], status, {"content-type": "application/json", **HEADERS, **(headers or {})})


def as_events(steps: Iterable[bytes]) -> Answer:
    """Return a stream."""
    return Answer(list(steps), 200, {"content-type": "text/event-stream; charset=utf-8", **HEADERS})


def data(chunk: object) -> bytes:
    """Return an event without a name."""
    return b"data: " + json.dumps(chunk, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


def named(kind: str, event: Json) -> bytes:
    """Return an event with a name, which its data say too."""
    return b"event: " + kind.encode() + b"\n" + data({"type": kind, **event})
