"""What the gateway needs of the world, as protocols that it owns. The docstrings here are the contract."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Final, Literal, Protocol

import msgspec

from daehwa.conversation.ports import Model

Endpoint = Literal[
    "chat/completions",
    "completions",
    "responses",
    "embeddings",
    "audio/transcriptions",
    "audio/translations",
    "images/generations",
    "images/edits",
    "images/variations",
    "audio/speech",
    "moderations",
]


STREAM: Final = "text/event-stream"


def is_of_events(content_type: str | None) -> bool:
    """Whether an answer of this `Content-Type` is a stream of events."""
    return content_type is not None and content_type.lower().startswith(STREAM)


IMAGES: Final[frozenset[Endpoint]] = frozenset({"images/generations", "images/edits", "images/variations"})
"""The endpoints that make images."""

LIMIT_NAMES: Final[Mapping[Endpoint, tuple[str, ...]]] = {
    "chat/completions": ("max_completion_tokens", "max_tokens"),
    "completions": ("max_tokens",),
    "responses": ("max_output_tokens",),
}
"""By which fields a request limits its answer."""


class WireRequest(msgspec.Struct, kw_only=True):
    """A request as it goes to an upstream, model and all. `body` in pieces is sent as it comes, `length` bytes in all
    (None: unknown, sent chunked); it can be sent once only. `headers` are the client's own that travel along.

    `is_sent` is set by whoever sends it, once its upstream may have all of it: before that, nobody can be paid for it.
    """

    endpoint: Endpoint
    body: bytes | AsyncIterator[bytes]
    length: int | None = None
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    is_sent: bool = False


class Sink(Protocol):
    """Where the bytes of an answer go."""

    def write(self, piece: bytes) -> bool:
        """Take a piece; return False when no more should come until `drained`. Never waits, never raises."""
        ...

    async def drained(self) -> None:
        """Return when more may come, or when whoever reads has left."""
        ...


class WireAnswer(Protocol):
    """An upstream's answer whose head has come. `headers` have names in lower case."""

    status: int
    headers: Mapping[str, str]

    async def read(self) -> bytes:
        """Return what has come of the body, waiting for some; empty at its end. Raise `ProviderError`."""
        ...

    async def forward(self, sink: Sink) -> bytes:
        """Write each piece of the body into `sink` within the very callback in which it arrives, without a task switch;
        return at the body's end what came with it, which is for the caller to send: so it can go in one write with the
        end. While the sink is full, the socket is not read. Raise `ProviderError`; cancelling ends the upstream
        call, and what came with the end by then is written.
        """
        ...

    def close(self) -> None:
        """End the call now; once it has come to its end, its connection is kept. More than once is fine."""
        ...


class WireTarget(Protocol):
    """One model at one upstream, that can be asked in OpenAI's own dialect."""

    model: Model
    """`model.id` is `provider/name-at-the-upstream`."""
    upstream_name: str
    """What the request's field `model` has to say."""

    @property
    def searches(self) -> bool:
        """Whether the model reads what it finds, whatever a request says: by its nature, or as the settings ask it."""
        ...

    def default_limit(self, endpoint: Endpoint) -> int | None:
        """Return how many tokens an answer has at most where the request does not say it, since the settings add that;
        None where they add nothing.
        """
        ...

    async def send(self, request: WireRequest) -> WireAnswer:
        """Send a request and return when the answer's head is there, whatever its status.

        Raise `ProviderError` where no answer came (unreachable, time-out, circuit open, no key), or where the upstream
        does not accept *our* key (401, a 403 that speaks of it): that is nobody's business but this server's. Counts
        for the upstream's circuit and concurrency limit, until the answer is closed.
        """
        ...


class WireModels(Protocol):
    """Which upstreams answer for a model's name."""

    async def targets(
        self, model: str | None, endpoint: Endpoint, may_ask: Callable[[Model], bool] | None = None
    ) -> Sequence[WireTarget]:
        """Return who can answer, first choice first: more than one where the settings name several for an alias.

        `model` is an alias, an id, or a bare name; None: the default, which is one that its caller `may_ask` where it
        is looked for among those of a kind. Models of every kind are found. Upstreams whose circuit is open come last.
        Raise `ModelNotFound`, `KeyNotSet`.
        """
        ...

    async def listed(self) -> Sequence[Model]:
        """Return every model of every kind that can be asked now, aliases first."""
        ...


class KeptAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A whole answer, kept to be given again to the same request (`Idempotency-Key`)."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class AnswerStore(Protocol):
    """Answers kept for a day by who asked and the request's idempotency key, so that a repeated request is never paid
    for twice. Any method raises `StoreError` when the store cannot do its work.
    """

    async def claim(
        self, caller: str, key: str, fingerprint: str, *, now: int
    ) -> KeptAnswer | Literal["new", "running"]:
        """Return the kept answer; "new" where this caller is to make it; "running" while another one does so.

        Of several at once one gets "new". A claim without an answer is over after 15 minutes: then somebody else may
        make it. `now` (ms) is also what tells a claim from a later one. Raise `IdempotencyKeyReused` where the key came
        with another `fingerprint` before.
        """
        ...

    async def keep(self, caller: str, key: str, answer: KeptAnswer, *, began: int, now: int) -> None:
        """Keep the answer of the claim that was made at `began`, late too, unless somebody else has made one since or
        it is missing: no-op. Of an answer that is larger than 256 KiB (compressed) only that it was given is kept:
        `claim` then raises `AnswerTooLarge`.
        """
        ...

    async def release(self, caller: str, key: str, *, began: int) -> None:
        """Give the claim that was made at `began` back without an answer: the next request is made anew. Missing:
        no-op.
        """
        ...

    async def forget(self, user: str) -> None:
        """Remove what was kept for a user, by whatever key they asked. A claim whose answer is still being made is gone
        too.
        """
        ...
