"""The OpenAI wire's chunks become events. Pure: bytes of JSON in, events out; unknown fields are read over."""

from typing import Any, Final

import msgspec

from daehwa.conversation.events import (
    Finished,
    ProviderEvent,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    UsageReported,
)
from daehwa.conversation.messages import FinishReason, Usage
from daehwa.gateway.wire_usage import WireUsage, usage_in
from daehwa.providers.upstream_faults import Faults, UpstreamFault

DONE: Final = b"[DONE]"

_FINISH: Final[dict[str, FinishReason]] = {
    "stop": "stop",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "content_filter": "content_filter",
    "safety": "content_filter",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
}


class _Function(msgspec.Struct, gc=False):
    name: str | None = None
    arguments: str | None = None


class _ToolCall(msgspec.Struct, gc=False):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class _ContentPart(msgspec.Struct, gc=False):
    text: str | None = None


class _Delta(msgspec.Struct, gc=False):
    content: str | list[_ContentPart] | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[_ToolCall] | None = None


class _Choice(msgspec.Struct, gc=False):
    index: int = 0
    delta: _Delta | None = None
    message: _Delta | None = None
    text: str | None = None
    finish_reason: str | None = None


class _Chunk(msgspec.Struct, gc=False):
    choices: list[_Choice] | None = None
    usage: WireUsage | None = None
    error: Any = None


class _OddChunk(msgspec.Struct, gc=False):
    """A chunk whose usage may be of any type."""

    choices: list[_Choice] | None = None
    usage: msgspec.Raw = msgspec.Raw(b"null")
    error: Any = None


_decode = msgspec.json.Decoder(_Chunk).decode
_decode_odd = msgspec.json.Decoder(_OddChunk).decode


def _plain_text(chunk: _Chunk) -> str | None:
    """Return the text of a chunk that has nothing else, else None."""
    choices = chunk.choices
    if not choices or len(choices) > 1 or chunk.usage is not None or chunk.error is not None:
        return None
    choice = choices[0]
    delta = choice.delta
    if delta is None or choice.index or choice.finish_reason is not None:
        return None
    has_more = delta.reasoning_content or delta.reasoning or delta.tool_calls or delta.refusal
    return delta.content if not has_more and isinstance(delta.content, str) else None


def _chunk(data: bytes) -> _Chunk:
    try:
        return _decode(data)
    except UnicodeDecodeError:
        # Bytes that are not UTF-8 are shown as replacement characters, as an event stream's rules say.
        return _chunk(data.decode("utf-8", "replace").encode())
    except msgspec.ValidationError:
        # A count that cannot be read is no reason to lose the words beside it.
        odd = _decode_odd(data)
        return _Chunk(odd.choices, usage_in(odd.usage), odd.error)


class ChunkReader:
    """Reads the chunks of one reply. After a fault it holds it in `fault`: the events before it still count. `trim`:
    letters that are left out before the first other one.
    """

    __slots__ = (
        "_faults",
        "_reasoning",
        "_said_usage",
        "_texts",
        "_tool_ids",
        "_trim",
        "_usage",
        "fault",
        "finish",
        "is_done",
        "seen",
    )

    def __init__(self, faults: Faults, *, trim: str = "") -> None:
        self._faults = faults
        self._trim = trim
        self._texts: list[str] = []
        self._reasoning = False
        self._tool_ids: dict[int, str] = {}
        self._usage: Usage | None = None
        self._said_usage: WireUsage | None = None
        self.fault: UpstreamFault | None = None
        self.finish: FinishReason | None = None
        self.is_done = False
        self.seen = 0

    def read(self, chunks: list[bytes]) -> list[ProviderEvent]:
        """Return the events in `chunks`, neighbouring pieces of text as one."""
        events: list[ProviderEvent] = []
        for data in chunks:
            self.seen += 1
            if data == DONE:
                self.is_done = True
                break
            try:
                self._take(_chunk(data), events)
            except UpstreamFault as fault:
                self.fault = fault
                break
            except (msgspec.DecodeError, RecursionError):
                self.fault = self._faults.malformed("a piece of the answer that is not valid JSON of the protocol")
                break
        self._flush(events)
        if self._said_usage is not None:
            self._report(self._said_usage, events)
        return events

    def _report(self, said: WireUsage, events: list[ProviderEvent]) -> None:
        # Some upstreams say in each chunk what they have counted so far: the last of a batch is enough.
        self._said_usage = None
        usage = said.tokens
        if usage is not None and usage != self._usage:
            self._usage = usage
            events.append(UsageReported(usage))

    def _take(self, chunk: _Chunk, events: list[ProviderEvent]) -> None:
        # Nearly every chunk is a piece of text and nothing else; this runs once per token.
        if (text := _plain_text(chunk)) is not None and not self._reasoning:
            self._texts.append(text)
            return
        if chunk.error:
            raise self._faults.reported(chunk.error)
        if chunk.usage is not None:
            self._said_usage = chunk.usage
        for choice in chunk.choices or ():
            if choice.index:
                continue
            delta = choice.delta or choice.message
            if delta is not None:
                self._take_delta(delta, events)
            elif choice.text:
                self._add(choice.text, events, reasoning=False)
            if choice.finish_reason and self.finish is None:
                self._take_finish(choice.finish_reason, events)

    def _take_delta(self, delta: _Delta, events: list[ProviderEvent]) -> None:
        thought = delta.reasoning_content or delta.reasoning
        if thought:
            self._add(thought, events, reasoning=True)
        content = delta.content
        if content:
            text = content if isinstance(content, str) else "".join(part.text or "" for part in content)
            self._add(text, events, reasoning=False)
        if delta.refusal:
            self._add(delta.refusal, events, reasoning=False)
        if delta.tool_calls:
            self._flush(events)
            events += [self._tool_delta(call) for call in delta.tool_calls]

    def _take_finish(self, reason: str, events: list[ProviderEvent]) -> None:
        if reason == "error":
            raise self._faults.reported("It gave no reason.")
        self.finish = _FINISH.get(reason.lower(), "stop")
        self._flush(events)
        events.append(Finished(self.finish))

    def _tool_delta(self, call: _ToolCall) -> ToolCallDelta:
        # The id comes with a call's first piece only; later pieces name its index. Some upstreams leave the index out.
        known = len(self._tool_ids)
        index = call.index if call.index is not None else (known if call.id else max(0, known - 1))
        name = self._tool_ids.setdefault(index, call.id or f"call_{index}")
        function = call.function or _Function()
        return ToolCallDelta(name, function.name or "", function.arguments or "")

    def _add(self, text: str, events: list[ProviderEvent], *, reasoning: bool) -> None:
        if reasoning is not self._reasoning:
            self._flush(events)
            self._reasoning = reasoning
        self._texts.append(text)

    def _flush(self, events: list[ProviderEvent]) -> None:
        if self._texts:
            text = "".join(self._texts)
            self._texts.clear()
            if self._trim and (text := text.lstrip(self._trim)):
                self._trim = ""
            if text:
                events.append(ReasoningDelta(text) if self._reasoning else TextDelta(text))
