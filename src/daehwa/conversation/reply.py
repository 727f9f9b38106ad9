"""Folds events into the growing reply, and gives any follower what it has not seen.

How this works and why. A reply is a tape: its parts in order, each one a start mark followed by its text. A
*position* on the tape is the number of marks and characters (code points) before it, so `position` after any event
is at the same time that event's number, the resume point of a client, and the length of what a checkpoint holds.
Nothing but the parts is needed to replay from any position: memory, a checkpoint read by another process and the
finished message give the same events. Two parts of the same kind never stand side by side (two tool calls may).
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator

from daehwa.conversation.events import (
    AnsweredBy,
    Finished,
    Numbered,
    ProviderEvent,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    UsageReported,
)
from daehwa.conversation.messages import (
    FinishReason,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    Usage,
    body_of,
)

Delta = TextDelta | ReasoningDelta | ToolCallDelta


def _delta(part: Part, body: str) -> Delta:
    match part:
        case ReasoningPart():
            return ReasoningDelta(body)
        case ToolCallPart():
            return ToolCallDelta(part.id, part.name, body)
        case _:
            return TextDelta(body)


def deltas_since(parts: Iterable[Part], position: int) -> Iterator[Numbered]:
    """Yield what a client that stands at `position` has not seen of `parts`."""
    start = 0
    for part in parts:
        body = body_of(part)
        end = start + 1 + len(body)
        if end > position:
            yield Numbered(end, _delta(part, body[max(0, position - start - 1) :]))
        start = end


class _GrowingPart:
    """One part: the chunks that made it and, for each, the tape position where it begins."""

    __slots__ = ("chunks", "end", "first", "start", "starts")

    def __init__(self, first: Delta, start: int) -> None:
        self.first = first
        self.start = start
        self.end = start + 1
        self.chunks: list[str] = []
        self.starts: list[int] = []

    def append(self, text: str) -> None:
        self.starts.append(self.end)
        self.chunks.append(text)
        self.end += len(text)

    def continues_with(self, delta: Delta) -> bool:
        if type(delta) is not type(self.first):
            return False
        return not (
            isinstance(delta, ToolCallDelta) and isinstance(self.first, ToolCallDelta) and delta.id != self.first.id
        )

    def text_since(self, position: int) -> str:
        if position <= self.start + 1:
            return "".join(self.chunks)
        index = bisect_right(self.starts, position) - 1
        return self.chunks[index][position - self.starts[index] :] + "".join(self.chunks[index + 1 :])

    def delta_since(self, position: int) -> Delta:
        text = self.text_since(position)
        if isinstance(self.first, TextDelta):
            return TextDelta(text)
        if isinstance(self.first, ReasoningDelta):
            return ReasoningDelta(text)
        return ToolCallDelta(self.first.id, self.first.name, text)

    def frozen(self) -> Part:
        # One chunk from here on: a long reply is joined once per checkpoint, not kept in ten thousand pieces.
        text = "".join(self.chunks)
        if text:
            self.chunks, self.starts = [text], [self.start + 1]
        if isinstance(self.first, TextDelta):
            return TextPart(text)
        if isinstance(self.first, ReasoningDelta):
            return ReasoningPart(text)
        return ToolCallPart(self.first.id, self.first.name, text)


class GrowingReply:
    """The reply as it is so far. No I/O; one writer, any number of readers on the same event loop."""

    __slots__ = ("_parts", "finish", "position", "usage")

    def __init__(self) -> None:
        self._parts: list[_GrowingPart] = []
        self.position = 0
        self.usage: Usage | None = None
        self.finish: FinishReason | None = None

    def apply(self, events: Iterable[ProviderEvent]) -> None:
        """Fold events in; empty deltas change nothing."""
        for event in events:
            if isinstance(event, UsageReported):
                self.usage = event.usage
            elif isinstance(event, Finished):
                self.finish = event.reason
            elif not isinstance(event, AnsweredBy):
                self._grow(event)

    def _grow(self, delta: Delta) -> None:
        text = delta.arguments if isinstance(delta, ToolCallDelta) else delta.text
        if not text and not isinstance(delta, ToolCallDelta):
            return
        part = self._parts[-1] if self._parts else None
        if part is None or not part.continues_with(delta):
            part = _GrowingPart(delta, self.position)
            self._parts.append(part)
        if text:
            part.append(text)
        self.position = part.end

    def since(self, position: int) -> list[Numbered]:
        """Return what a follower that stands at `position` has not seen, one event a part."""
        if position >= self.position:
            return []
        return [Numbered(part.end, part.delta_since(position)) for part in self._parts if part.end > position]

    def parts(self) -> tuple[Part, ...]:
        """Return the parts as frozen values."""
        return tuple(part.frozen() for part in self._parts)

    @property
    def is_empty(self) -> bool:
        """Whether nothing has come yet."""
        return not self._parts
