"""Every error the core raises, as one tree.

    DaehwaError
    ├── InvalidRequest            the request cannot be meant (HTTP 400)
    │   ├── InvalidId             not a canonical UUIDv7
    │   └── InvalidParent         the tree does not allow this parent
    ├── NotFound                  (HTTP 404)
    │   ├── ConversationNotFound
    │   ├── MessageNotFound
    │   └── ModelNotFound
    │       └── ModelNotInstalled     nothing is configured, and the small model is not installed
    ├── Conflict                  (HTTP 409)
    │   ├── IdTaken               the id already names something else
    │   │   └── OwnedByAnother        a conversation that is brought is somebody else's here
    │   └── ReplyStillGrowing     the parent's text is not final yet
    ├── TooMuch                   over a documented limit (HTTP 413)
    ├── StoreError                the store cannot do its work (HTTP 503)
    │   └── Unreadable                what is stored was changed or damaged, and cannot be read (HTTP 500)
    ├── TimeIsUp                  the time that an answer may take here is over; a turn can be continued (HTTP 504)
    └── ProviderError             the model could not answer; the turn fails or is interrupted, never the request
        ├── KeyNotSet                 there is no key for the upstream yet (HTTP 503, before a turn begins)
        ├── ProviderAuthError         401, and 403 where it speaks of the key
        ├── ProviderModelError        404, or the model is not served
        ├── ProviderRefusedError      400 and other 4xx: this request will not be answered as it is
        ├── ProviderContextError      the prompt is longer than the model's context window
        ├── ProviderAccountError      402: the account at the upstream is used up
        ├── ProviderRateLimitError    429
        ├── ProviderUnavailableError  5xx
        │   └── ModelNotInstalled         as above, where it is asked for by name
        ├── ProviderUnreachableError  DNS, refused or reset connection, TLS
        ├── ProviderTimeoutError      connect, first byte or idle
        ├── ProviderCutError          the stream ended before its end was announced
        ├── ProviderMalformedError    what came is not the wire protocol
        └── ProviderStreamError       an error object inside the stream

`type` is the stable name of an error on the wire; the page translates by it.
"""

from typing import ClassVar

from daehwa.conversation.budget import NamedBudget


class DaehwaError(Exception):
    """Any error with a sentence for the person who meets it.

    `message` is for who runs this, in a terminal or a log. `told` is what goes over the wire: the same, unless that
    would name a place on this machine. `budget` is the one that had no room, where that is what is wrong.
    """

    type: ClassVar[str] = "internal_error"
    refusal: str | None = None
    """The word under which it is counted as a refusal of a call that could have been made; None: it is none."""
    budget: NamedBudget | None = None

    def __init__(self, message: str, *, param: str | None = None, told: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.told = message if told is None else told


class InvalidRequest(DaehwaError):  # noqa: N818 - errors state the fact
    """The request cannot be meant as it is."""

    type = "invalid_request"


class InvalidId(InvalidRequest):
    """The id is not a canonical UUIDv7."""

    type = "invalid_id"

    def __init__(self, param: str) -> None:
        super().__init__(f"'{param}' must be a UUID version 7 in lower case, made by the client.", param=param)


class InvalidParent(InvalidRequest):
    """The tree of messages does not allow this parent."""

    type = "invalid_parent"


class NotFound(DaehwaError):  # noqa: N818 - errors state the fact
    """There is no such thing, or it is not yours."""

    type = "not_found"


class ConversationNotFound(NotFound):
    """No conversation of this owner has this id."""

    type = "conversation_not_found"

    def __init__(self) -> None:
        super().__init__("There is no such conversation, or it was deleted.", param="conversation")


class MessageNotFound(NotFound):
    """No message of this owner has this id."""

    type = "message_not_found"

    def __init__(self, param: str) -> None:
        super().__init__("There is no such message in this conversation.", param=param)


class ModelNotFound(NotFound):
    """No provider serves this model."""

    type = "model_not_found"


class ModelNotOffered(DaehwaError):  # noqa: N818 - errors state the fact
    """None of this person's groups names the model."""

    type = "model_not_offered"
    refusal = "model_not_offered"

    def __init__(self, model: str, offered: tuple[str, ...]) -> None:
        may = f"You may ask: {', '.join(offered)}." if offered else "As yet no model is open to you."
        super().__init__(f"None of your groups names {model}. {may} An admin can change that.", param="model")


class Conflict(DaehwaError):  # noqa: N818 - errors state the fact
    """The request contradicts what is stored."""

    type = "conflict"


class IdTaken(Conflict):
    """The id already names something else."""

    type = "id_taken"

    def __init__(self, param: str) -> None:
        super().__init__(f"'{param}' already names something else. Make a new id.", param=param)


class OwnedByAnother(IdTaken):
    """A conversation that is brought from elsewhere is here already, and belongs to somebody else: to `owner`."""

    type = "owned_by_another"

    def __init__(self, owner: str) -> None:
        super().__init__("conversation")
        self.owner = owner


class ReplyStillGrowing(Conflict):
    """The parent reply is still being made."""

    type = "reply_still_growing"

    def __init__(self) -> None:
        super().__init__("The answer above is still being written. Wait for its end, or stop it first.", param="parent")


class TooMuch(DaehwaError):  # noqa: N818 - errors state the fact
    """Over a documented limit."""

    type = "too_large"


class StoreError(DaehwaError):
    """The store cannot do its work now."""

    type = "store_unavailable"


class Unreadable(StoreError):  # noqa: N818 - errors state the fact
    """What is stored is not what a store writes: it was changed, or the disk has damaged it."""

    type = "unreadable"


class TimeIsUp(DaehwaError):  # noqa: N818 - errors state the fact
    """The time that an answer may take in this home is over. `advice` is what helps."""

    type = "time_is_up"

    def __init__(self, advice: str = "Continue it.") -> None:
        super().__init__(f"The answer took as long as one may take here, and was cut off. {advice}")


class ProviderError(DaehwaError):
    """The model could not answer. `retry_after` is in seconds, `status` the upstream's HTTP status."""

    type = "upstream_error"

    def __init__(self, message: str, *, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


class KeyNotSet(ProviderError):  # noqa: N818 - errors state the fact
    """There is no key for the upstream yet."""

    type = "key_not_set"


class ProviderAuthError(ProviderError):
    """The upstream does not accept the key (401, a 403 that speaks of it)."""

    type = "upstream_auth"


class ProviderModelError(ProviderError):
    """The upstream does not serve this model (404)."""

    type = "upstream_model"


class ProviderRefusedError(ProviderError):
    """The upstream will not answer this request as it is (other 4xx)."""

    type = "upstream_refused"


class ProviderContextError(ProviderRefusedError):
    """The prompt is longer than the model's context window."""

    type = "upstream_context"


class ProviderAccountError(ProviderError):
    """The account at the upstream is used up, or its quota (402, a 429 that says so)."""

    type = "upstream_account"


class ProviderRateLimitError(ProviderError):
    """The upstream asks to wait (429)."""

    type = "upstream_rate_limit"


class ProviderUnavailableError(ProviderError):
    """The upstream has a fault of its own (5xx)."""

    type = "upstream_unavailable"


class ModelNotInstalled(ModelNotFound, ProviderUnavailableError):  # noqa: N818 - errors state the fact
    """The small model would answer, and it is not installed."""

    type = "model_not_installed"

    def __init__(self, message: str) -> None:
        ProviderError.__init__(self, message)
        self.param = "model"


class ProviderUnreachableError(ProviderError):
    """No connection: name not found, refused, reset, or no trust in its certificate."""

    type = "upstream_unreachable"


class ProviderTimeoutError(ProviderError):
    """No connection, no first byte, or no further byte in time."""

    type = "upstream_timeout"


class ProviderCutError(ProviderError):
    """The stream ended before its end was announced."""

    type = "upstream_cut"


class ProviderMalformedError(ProviderError):
    """What came is not the wire protocol."""

    type = "upstream_malformed"


class ProviderStreamError(ProviderError):
    """The upstream reported an error inside the stream."""

    type = "upstream_stream_error"
