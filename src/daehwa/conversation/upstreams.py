"""How an upstream fares, and whether another one may be asked in its place: for turns and the gateway alike. Pure."""

from typing import Literal

import msgspec

from daehwa.conversation.errors import (
    DaehwaError,
    KeyNotSet,
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
_OWN_REFUSALS = frozenset({402, 403})
"""At one upstream the account is used up, or its country or its moderation does not allow it; another one may do it."""
_STATUSES = _OWN_REFUSALS | {404, 408, 409, 425, 429}


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


def may_ask_another(outcome: int | DaehwaError) -> bool:
    """Return whether another upstream may be asked after this status or error, while nothing of an answer was handed
    on. Not where the request itself is at fault: it would be refused once more, and twice is not cheaper than once.
    """
    if isinstance(outcome, DaehwaError):
        is_its_own = isinstance(outcome, ProviderRefusedError) and outcome.status in _OWN_REFUSALS
        return is_its_own or isinstance(outcome, _NOT_THE_REQUESTS_FAULT)
    return outcome >= _FAILED or outcome in _STATUSES
