"""Reads what an upstream says it counted, in each of the forms of OpenAI's endpoints and of those like them.

A body is decoded by its types, which costs least. Only where a field is of another type, its fields are read one by one
and those that cannot be are left out: an upstream in PHP writes an empty object as `[]`, one in Lua a count as `12.0`.
"""

from typing import Any, Final, TypeVar, get_args

import msgspec

from daehwa.conversation.messages import Usage
from daehwa.conversation.metering import as_counted

_NULL: Final = msgspec.Raw(b"null")

MOST_SECONDS = 1_000_000.0
"""Seconds of audio that are believed: eleven days."""


class _Details(msgspec.Struct, frozen=True, gc=False):
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    image_tokens: int | None = None


_NO_DETAILS = _Details()


class WireUsage(msgspec.Struct, gc=False):
    """A `usage` object: chat and completions say prompt and completion, the younger endpoints input and output.
    `prompt_cache_hit_tokens` is how DeepSeek says what others have in the details, `cached_tokens` how Moonshot does.
    xAI and Gemini have what a model thought in `total_tokens` alone, beside its answer and at the price of it. Mistral
    has a recording's tokens there, by which it is not paid, and its length in `prompt_audio_seconds`. Perplexity counts
    what it read and thought in a research beside the others: `citation_tokens`, and then `reasoning_tokens`.
    """

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: _Details | None = None
    completion_tokens_details: _Details | None = None
    input_tokens_details: _Details | None = None
    output_tokens_details: _Details | None = None
    prompt_cache_hit_tokens: int | None = None
    cached_tokens: int | None = None
    citation_tokens: int | None = None
    reasoning_tokens: int | None = None
    seconds: float | None = None
    prompt_audio_seconds: float | None = None

    @property
    def heard(self) -> float | None:
        """The seconds of audio."""
        return self.prompt_audio_seconds if self.seconds is None else self.seconds

    @property
    def shown(self) -> int:
        """The tokens of the prompt that are pictures."""
        return max((self.input_tokens_details or _NO_DETAILS).image_tokens or 0, 0)

    @property
    def tokens(self) -> Usage | None:
        """The tokens; None where it counts none, as for audio that is paid by the second."""
        sent = self.prompt_tokens if self.prompt_tokens is not None else self.input_tokens
        made = self.completion_tokens if self.completion_tokens is not None else self.output_tokens
        if sent is None and made is None:
            return None
        before = self.prompt_tokens_details or self.input_tokens_details or _NO_DETAILS
        after = self.completion_tokens_details or self.output_tokens_details or _NO_DETAILS
        cached = before.cached_tokens or self.prompt_cache_hit_tokens or self.cached_tokens
        thought = after.reasoning_tokens
        if sent and self.heard is None and self.citation_tokens is None:
            beside = 0 if self.total_tokens is None else self.total_tokens - sent - (made or 0)
            # More than the prompt can be no part of it; nor is what the sum has beyond both, to the token.
            if cached and (cached > sent or cached == beside != thought):
                sent += max(cached, beside)
            elif beside > 0:
                made = (made or 0) + beside
        counted = Usage(
            input=sent if sent and sent > 0 else 0,
            output=made if made and made > 0 else 0,
            cached=cached if cached and cached > 0 else 0,
            reasoning=thought if thought and thought > 0 else 0,
        )
        return counted if self.citation_tokens is None else self._with_research(counted, self.citation_tokens)

    def _with_research(self, counted: Usage, found: int) -> Usage:
        thought = max(self.reasoning_tokens or 0, 0)
        return msgspec.structs.replace(
            counted,
            input=counted.input + max(found, 0),
            output=counted.output + thought,
            reasoning=thought or counted.reasoning,
        )


class _Response(msgspec.Struct):
    usage: WireUsage | None = None
    error: Any = None
    model: Any = None


class Said(msgspec.Struct):
    """What a body, or one event of a stream, says about its cost. `response` is where Responses events have it.

    `type` is a string in what OpenAI sends; the `object` is an error in what vLLM and Mistral do.
    """

    usage: WireUsage | None = None
    type: Any = None
    object: Any = None
    error: Any = None
    model: Any = None
    response: _Response | None = None
    duration: float | str | None = None
    choices: msgspec.Raw = _NULL
    data: list[msgspec.Raw] | None = None

    @property
    def counted(self) -> WireUsage | None:
        """The usage, wherever it stands."""
        if self.usage is not None:
            return self.usage
        return None if self.response is None else self.response.usage

    @property
    def answered_by(self) -> str | None:
        """The name of the model that answered, as the upstream has it."""
        name = self.model if self.model is not None or self.response is None else self.response.model
        return name if isinstance(name, str) else None

    @property
    def is_error(self) -> bool:
        """Whether it says that something went wrong, although the answer's status said that all was well."""
        inner = None if self.response is None else self.response.error
        return bool(self.error or inner) or self.type == "error" or self.object == "error"

    @property
    def is_but_an_error(self) -> bool:
        """Whether something went wrong and nothing was counted; noughts are no count."""
        return self.is_error and (self.counted is None or as_counted(self.counted.tokens) is None)

    @property
    def is_bare_usage(self) -> bool:
        """Whether it is a chunk that holds nothing but its usage: some send one without choices, or with null."""
        if self.usage is None or self.is_error:
            return False
        return bytes(self.choices).translate(None, b" \t\r\n") in {b"null", b"[]"}

    @property
    def seconds(self) -> float:
        """The seconds of audio, 0 where none are said."""
        said = self.duration if self.usage is None or self.usage.heard is None else self.usage.heard
        try:
            seconds = float(said or 0)
        except ValueError:
            return 0.0
        return seconds if 0 <= seconds <= MOST_SECONDS else 0.0


_Read = TypeVar("_Read", bound=msgspec.Struct)

_decode: Final = msgspec.json.Decoder(Said).decode
_fields_of: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def said_in(body: bytes | bytearray | memoryview) -> Said:
    """Return what a body says; of one that cannot be read, nothing."""
    try:
        return _decode(body)
    except msgspec.ValidationError:
        return _readable(body, Said) or Said()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Said()


def usage_in(usage: msgspec.Raw) -> WireUsage | None:
    """Return what can be read of a `usage` that is not as it has to be."""
    return _readable(usage, WireUsage)


def _readable(value: bytes | bytearray | memoryview | msgspec.Raw, kind: type[_Read]) -> _Read | None:
    """Return what can be read of a JSON object, field by field; None of what is no object."""
    try:
        given = _fields_of(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    kinds = {field.name: field.type for field in msgspec.structs.fields(kind)}
    return kind(**{name: _field(raw, kinds[name]) for name, raw in given.items() if name in kinds})


def _field(value: msgspec.Raw, kind: Any) -> Any:
    try:
        return msgspec.json.decode(value, type=kind, strict=False)  # 12.0 is 12 then
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        inner = next((one for one in get_args(kind) if isinstance(one, type) and issubclass(one, msgspec.Struct)), None)
        return None if inner is None else _readable(value, inner)
