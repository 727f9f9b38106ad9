"""Errors of the gateway, on the tree of `daehwa.conversation.errors`.

DaehwaError
├── ShuttingDown              this server is ending (HTTP 503)
└── Conflict (HTTP 409)
    ├── IdempotencyKeyReused  the key came before, with another request
    ├── AnswerTooLarge        the request was answered already, with more than is kept
    └── StillAnswering        the same request is being answered
"""

from daehwa.conversation.errors import Conflict, DaehwaError


class ShuttingDown(DaehwaError):  # noqa: N818 - errors state the fact
    """The server is ending."""

    type = "shutting_down"

    def __init__(self) -> None:
        super().__init__("This server is ending, and the call ends with it. Send it again in a moment.")


class IdempotencyKeyReused(Conflict):
    """The idempotency key came before, with another request."""

    type = "idempotency_key_reused"

    def __init__(self) -> None:
        super().__init__(
            "This Idempotency-Key came before, with another request. Make a new one for each request.",
            param="Idempotency-Key",
        )


class AnswerTooLarge(Conflict):
    """The request was answered already, with more than is kept."""

    type = "answer_too_large"

    def __init__(self) -> None:
        super().__init__(
            "A request with this Idempotency-Key was answered already, and its answer was too large to be kept. Make a "
            "new key to ask, and pay, once more.",
            param="Idempotency-Key",
        )


class StillAnswering(Conflict):
    """The same request is being answered."""

    type = "still_answering"

    def __init__(self) -> None:
        super().__init__(
            "A request with this Idempotency-Key is still being answered. Send it again in a moment.",
            param="Idempotency-Key",
        )
