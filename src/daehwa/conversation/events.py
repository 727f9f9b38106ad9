"""What a reply streams: the events a provider yields, and those that a follower of a turn sees."""

from collections.abc import Sequence

import msgspec

from daehwa.conversation.messages import Failure, FinishReason, Status, Usage


class TextDelta(msgspec.Struct, frozen=True):
    """More text for the reader."""

    text: str


class ReasoningDelta(msgspec.Struct, frozen=True):
    """More of the model's visible thinking."""

    text: str


class ToolCallDelta(msgspec.Struct, frozen=True):
    """A tool call begins (with `id` and `name`) or its arguments grow; `id` says which call."""

    id: str
    name: str
    arguments: str


class UsageReported(msgspec.Struct, frozen=True):
    """The upstream's token counts so far."""

    usage: Usage


class Finished(msgspec.Struct, frozen=True):
    """The model came to an end of its own."""

    reason: FinishReason


class AnsweredBy(msgspec.Struct, frozen=True):
    """Which model answers, by id, where several could: comes before all else, and is nothing for followers."""

    model: str


ProviderEvent = AnsweredBy | TextDelta | ReasoningDelta | ToolCallDelta | UsageReported | Finished
Batch = Sequence[ProviderEvent]
"""Events that arrived together; a provider yields them in one piece to save work per event."""


class TitleMade(msgspec.Struct, frozen=True, omit_defaults=True):
    """The conversation has a new title, and this is what making it cost."""

    title: str
    usage: Usage | None = None


class ReplyEnded(msgspec.Struct, frozen=True, omit_defaults=True):
    """The reply is final and stored. `error` says why where it failed or was interrupted by a fault."""

    status: Status
    finish: FinishReason | None = None
    error: Failure | None = None


class Heartbeat(msgspec.Struct, frozen=True):
    """Nothing new, still alive."""


StreamedEvent = TextDelta | ReasoningDelta | ToolCallDelta | UsageReported | TitleMade | ReplyEnded | Heartbeat


class Numbered(msgspec.Struct, frozen=True):
    """A streamed event and the reply's position after it: what a client sends back as `Last-Event-ID`."""

    position: int
    event: StreamedEvent
