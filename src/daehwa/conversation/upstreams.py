"""How an upstream fares, and whether another one may be asked in its place: for turns and the gateway alike. Pure."""

import re
from typing import Final, Literal

import msgspec

from daehwa.conversation.errors import (
    DaehwaError,
    KeyNotSet,
    ProviderAccountError,
    ProviderAuthError,
    ProviderCutError,
    ProviderMalformedError,
    ProviderModelError,
    ProviderRateLimitError,
    ProviderRefusedError,
    ProviderStreamError,
    ProviderTimeoutError,
    ProviderUnavailableError,
    ProviderUnreachableError,
)

CircuitState = Literal["closed", "open", "half_open"]
ProviderKind = Literal["openai", "embedded", "scripted"]

_NOT_THE_REQUESTS_FAULT = (
    KeyNotSet,
    ProviderAccountError,
    ProviderAuthError,
    ProviderCutError,
    ProviderMalformedError,
    ProviderModelError,
    ProviderRateLimitError,
    ProviderStreamError,
    ProviderTimeoutError,
    ProviderUnavailableError,
    ProviderUnreachableError,
)
_FAILED = 500
_OWN_REFUSALS = frozenset({403, 451, 501})
"""One upstream's country, its law or its moderation does not allow it, or it cannot do it; another one may."""
NO_ROOM: Final = frozenset({429, 498})
"""An upstream asks to wait. 498 is how Groq says that its flexible tier is full."""
NOT_NOW: Final = frozenset({408, 409, 424, 425, 499})
"""An upstream does not come to answer, though nothing is wrong with what it was asked. 409 is tried again by OpenAI's
own clients, 424 is how Bedrock, Groq and Hugging Face's servers say that the model failed, 425 that it is too early for
a request that may be sent twice, and 499 that a call was given up over there, as Google, Groq and Cohere do it.
"""
_STATUSES = _OWN_REFUSALS | NO_ROOM | NOT_NOW | {402, 404}
_BEYOND: Final = "rate_limit_exceeded"
_TOO_LONG: Final = (
    r"(?i)context_length_exceeded|exceed_context_size|maximum context length|context (?:length|window|size)|"
    r"prompt is too long|too many (?:input )?tokens|input is too long"
)
"""Compiled by the first fault that it is looked for in: each start would pay for it."""


class UpstreamState(msgspec.Struct, frozen=True, kw_only=True):
    """How one provider's upstream fares now. `failures`: so many calls in a row came to nothing. `since` (ms) is when
    its circuit came to be as it is; where it is open, `again` (seconds) is when the upstream is asked again.

    `calls` are under way, `waiting` ones wait for a place among `max_concurrent` (None: no limit).
    """

    provider: str
    circuit: CircuitState
    failures: int
    since: int
    again: float | None
    calls: int
    waiting: int
    max_concurrent: int | None


class ProviderState(msgspec.Struct, frozen=True, kw_only=True):
    """A provider as the settings and this process know it: never its key. `models` are how many it lists now, `problem`
    why they are not there, as a sentence; `upstream` None where there is none.
    """

    name: str
    kind: ProviderKind
    base_url: str | None
    has_key: bool
    models: int
    problem: str | None
    upstream: UpstreamState | None


def is_beyond_a_minute(status: int, words: str) -> bool:
    """Whether a refusal is that the account may not ask for so many tokens in a minute as this request has, as Groq
    says it by a status that is else the request's fault.
    """
    return status == 413 and _BEYOND in words  # noqa: PLR2004 - HTTP statuses are known by their numbers


def says_too_long(words: str) -> bool:
    """Whether an upstream's words are that the prompt does not fit into the model's context window."""
    return re.search(_TOO_LONG, words) is not None


def may_ask_another(outcome: int | DaehwaError) -> bool:
    """Return whether another upstream may be asked after this status or error, while nothing of an answer was handed
    on. Not where the request itself is at fault: it would be refused once more, and twice is not cheaper than once.
    """
    if isinstance(outcome, DaehwaError):
        is_its_own = isinstance(outcome, ProviderRefusedError) and outcome.status in _OWN_REFUSALS
        return is_its_own or isinstance(outcome, _NOT_THE_REQUESTS_FAULT)
    return outcome >= _FAILED or outcome in _STATUSES
