"""What a caller asks, as bytes that are rewritten in no more places than must be."""

from collections.abc import Iterator
from itertools import chain, islice
from typing import Any, Final, Protocol, Self

import msgspec

from daehwa.conversation.errors import InvalidRequest
from daehwa.conversation.image_tokens import IMAGE_TOKENS
from daehwa.conversation.metering import CallKind
from daehwa.conversation.searching import SEARCH_FIELDS
from daehwa.gateway.estimates import has_payloads, images_in, input_tokens
from daehwa.gateway.fields import fields_of, optional, whole
from daehwa.gateway.laid_over import EXTRA_BODY, check_laid_over
from daehwa.gateway.ports import IMAGES, LIMIT_NAMES, Endpoint, WireRequest
from daehwa.gateway.read_elsewhere import KEPT_ELSEWHERE, TOOLS, reads_more
from daehwa.gateway.speech import SILENCE, SPEECH, Speech, speech_of

KINDS: Final[dict[Endpoint, CallKind]] = {
    "chat/completions": "chat",
    "completions": "completion",
    "responses": "response",
    "embeddings": "embedding",
    "audio/transcriptions": "audio",
    "audio/translations": "audio",
    "images/generations": "image",
    "images/edits": "image",
    "images/variations": "image",
    "audio/speech": "speech",
    "moderations": "moderation",
}
COMPLETION_TOKENS = 16
"""How long a completion is at most where the request does not say it: OpenAI's own rule for this old endpoint."""
MOST_CHOICES = 4096
MODEL_CHARACTERS = 500
"""A model's name has at most so many: it stands in the ledger, also where no upstream knows it."""
MOST_OTHERS = 16
"""So many models an upstream may be given to choose from."""
MOST_TOKENS = 1_000_000_000
MOST_PARTIAL_IMAGES = 100
"""OpenAI sends three at most."""

_UNLIMITED: Final = {-1, 0}
"""Where an answer is talked of, some servers take these for "no limit"."""
_NEEDED: Final[dict[Endpoint, str]] = {
    "chat/completions": "messages",
    "embeddings": "input",
    "images/generations": "prompt",
    "audio/speech": "input",
    "moderations": "input",
}
# Made once: making one takes longer than its work.
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_FALLBACK_BYTES: Final = 64 * 1024
_FALLBACK_DEPTH: Final = 4
"""Lists of objects of lists of objects: a name stands no deeper in LiteLLM's forms."""
_encode = msgspec.json.Encoder().encode
_SAYS_USAGE_IF_ASKED = frozenset({"chat/completions", "completions"})
_OPTIONS = "stream_options"
PARTIAL_IMAGES: Final = "partial_images"
_PICTURES: Final = frozenset({"image", "images", "image_url", "image_urls", "mask"})
"""By these fields some upstreams take pictures to draw images from, as data or as addresses."""
_FALLBACKS = ("fallbacks", "context_window_fallbacks", "content_policy_fallbacks")
"""What LiteLLM has beside OpenRouter's `models`."""
_COSTS_MORE: Final = frozenset(
    [
        *("n", "best_of", "models", "input", "speed", TOOLS, PARTIAL_IMAGES, *_FALLBACKS, *SEARCH_FIELDS),
        *(*KEPT_ELSEWHERE, *chain.from_iterable(LIMIT_NAMES.values())),
    ]
)
"""What nothing would be reserved for, did another model's object in a list have it."""
_READ: Final = _COSTS_MORE.difference(KEPT_ELSEWHERE).union(("model", "stream", _OPTIONS, EXTRA_BODY), _NEEDED.values())
"""The fields that rights and reservations follow from."""
_READ_ANYWHERE: Final = _READ.union(("background", "instructions"), KEPT_ELSEWHERE)
_READ_OF_IMAGES: Final = _READ_ANYWHERE | _PICTURES
_READ_LAID_OVER: Final[dict[Endpoint, frozenset[str]]] = {
    "responses": _READ_ANYWHERE,
    "images/generations": _READ | _PICTURES,
}
_TOO_LARGE = "The body holds a number that is out of range."


class Weight(msgspec.Struct, frozen=True, kw_only=True):
    """How much a request may cost, before anybody has answered it. `images` are those that it shows; `has_payloads`
    says whether it shows any, or files, and `reads_more` whether it only names something that its upstream keeps, or
    lets it find something, and that is read as well. `is_unlimited`: it asks in so many words for an answer without a
    limit. `likely_share`: which part of its tokens and `seconds` it most likely is. `shown_tokens` are those of its
    pictures, where they have a price of their own; `speech` is what it lets be spoken.
    """

    input_tokens: int
    images: int = 0
    has_payloads: bool = False
    reads_more: bool = False
    output_limit: int | None = None
    is_unlimited: bool = False
    choices: int = 1
    seconds: float = 0.0
    likely_share: float = 1.0
    shown_tokens: int = 0
    partial_images: int = 0
    speech: Speech = SILENCE

    @property
    def likely_seconds(self) -> float:
        """How long a recording most likely is."""
        return self.seconds * self.likely_share

    @property
    def likely_tokens(self) -> int:
        """How many tokens the request most likely has."""
        return round(self.input_tokens * self.likely_share)

    def limit(self, default: int | None) -> int | None:
        """Return the limit of the answer, `default` where the request says nothing of one."""
        return default if self.output_limit is None and not self.is_unlimited else self.output_limit


class Added(msgspec.Struct, frozen=True):
    """What is added to a request: the wish for usage, and a field that limits the answer, by its name."""

    usage: bool = False
    limit_name: str | None = None
    limit: int = 0


class Habits(msgspec.Struct, frozen=True):
    """What one upstream was found to refuse."""

    takes_usage: bool = True
    limit_name: str = "max_tokens"

    def after(self, refusal: bytes, added: Added, endpoint: Endpoint) -> "Habits | None":
        """Return what may be its habits, now that it has named what it does not know; None where that is nothing new.
        What a refusal names may be its caller's own words: only an answer to the next try shows that it is so.
        """
        if added.usage and self.takes_usage and (b"stream_options" in refusal or b"include_usage" in refusal):
            return msgspec.structs.replace(self, takes_usage=False)
        has_other_name = len(LIMIT_NAMES.get(endpoint, ())) > 1  # else the next try would be the same one
        if has_other_name and added.limit_name == "max_tokens" and b"max_tokens" in refusal:
            return msgspec.structs.replace(self, limit_name="max_completion_tokens")
        return None


class Asked(Protocol):
    """One request. `model` is as the caller names it, and `others` are those that an upstream may take in its place;
    `is_repeatable` says whether it can be sent more than once.
    """

    endpoint: Endpoint
    model: str | None
    others: tuple[str, ...]
    is_repeatable: bool

    @property
    def weight(self) -> Weight:
        """How much it may cost."""
        ...

    def parts(self) -> tuple[bytes, ...]:
        """Return what makes this request another one than the next, for its fingerprint."""
        ...

    def added(self, habits: Habits, output_limit: int | None) -> Added:
        """Return what is to be added for an upstream of these habits; `output_limit` is what money allows."""
        ...

    def request(self, name: str, added: Added) -> WireRequest:
        """Return the request as it is sent to an upstream that knows the model by `name`."""
        ...

    def instructed(self, instructions: str) -> "Asked":
        """Return the request with what the model is to be told before; as it is where there is no place for that."""
        ...

    def close(self) -> None:
        """Give back what the request holds. More than once is fine."""
        ...


class JsonAsked:
    """A request whose body is JSON. Fields are kept as they came: only the model's name is another one."""

    is_repeatable = True

    def __init__(self, endpoint: Endpoint, body: bytes, headers: tuple[tuple[str, str], ...] = ()) -> None:
        self.endpoint = endpoint
        self._body = body
        self._headers = headers
        self._fields = fields = fields_of(body, _READ_OF_IMAGES if endpoint in IMAGES else _READ_ANYWHERE)
        if EXTRA_BODY in fields:
            check_laid_over(fields[EXTRA_BODY], _READ_LAID_OVER.get(endpoint, _READ))
        self.model = optional(fields, "model", str)
        # As OpenRouter and LiteLLM have it: they may take another one, which has to be allowed and paid for.
        self.others = _others(fields)
        self.is_streamed = optional(fields, "stream", bool) is True
        if (needed := _NEEDED.get(endpoint)) is not None and needed not in fields:
            raise InvalidRequest(f"'{needed}' is missing.", param=needed)
        self._options = optional(fields, _OPTIONS, dict)
        limits = [whole(fields, name, least=-1, most=MOST_TOKENS) for name in LIMIT_NAMES.get(endpoint, ())]
        # Of two names an upstream may know one: the larger counts. A completion of 0 tokens is its prompt's echo.
        known = [limit for limit in limits if limit is not None]
        unlimited = {-1} if endpoint == "completions" else _UNLIMITED
        is_unlimited = not unlimited.isdisjoint(known)
        payloads = has_payloads(body)
        self._weight = Weight(
            input_tokens=_tokens(body, payloads=payloads),
            images=images_in(body),
            has_payloads=payloads,
            reads_more=reads_more(endpoint, fields),
            output_limit=None if is_unlimited else max(known, default=None),
            is_unlimited=is_unlimited,
            choices=self._choices(),
        )
        if endpoint == SPEECH:
            self._weight = msgspec.structs.replace(self._weight, speech=speech_of(fields))
        elif endpoint in IMAGES:
            self._weight = self._drawn(self._weight)
        if endpoint == "responses" and optional(fields, "background", bool):
            raise InvalidRequest(
                "An answer in the background cannot be fetched here, nor counted. Leave 'background' out.",
                param="background",
            )

    @classmethod
    def of(cls, endpoint: Endpoint, fields: dict[str, Any]) -> Self:
        """Return a request of our own making."""
        return cls(endpoint, msgspec.json.encode(fields))

    @property
    def weight(self) -> Weight:
        """How much it may cost."""
        return self._weight

    def parts(self) -> tuple[bytes, ...]:
        """Return the body."""
        return (self._body,)

    def instructed(self, instructions: str) -> "JsonAsked":
        """See the protocol. Text to go on with, and what vectors or images are made of, is not told anything."""
        fields = dict(self._fields)
        if self.endpoint == "chat/completions":
            try:
                messages = _decode_list(self._fields["messages"])
            except msgspec.DecodeError:
                return self  # the upstream says what is wrong with it
            told = msgspec.Raw(_encode({"role": "system", "content": instructions}))
            fields["messages"] = msgspec.Raw(_encode([told, *messages]))
        elif self.endpoint == "responses":
            own = optional(self._fields, "instructions", str)
            fields["instructions"] = msgspec.Raw(_encode(f"{instructions}\n\n{own}" if own else instructions))
        else:
            return self
        return JsonAsked(self.endpoint, _encode(fields), self._headers)

    def close(self) -> None:
        """Do nothing."""

    def added(self, habits: Habits, output_limit: int | None) -> Added:
        """See the protocol."""
        usage = self.is_streamed and self.endpoint in _SAYS_USAGE_IF_ASKED and habits.takes_usage
        usage = usage and (self._options or {}).get("include_usage") is not True
        if output_limit is None or self._weight.output_limit is not None or self.endpoint not in LIMIT_NAMES:
            return Added(usage)
        if self.endpoint == "chat/completions":
            return Added(usage, habits.limit_name, output_limit)
        limit = min(output_limit, COMPLETION_TOKENS) if self.endpoint == "completions" else output_limit
        return Added(usage, LIMIT_NAMES[self.endpoint][0], limit)

    def request(self, name: str, added: Added) -> WireRequest:
        """See the protocol."""
        changed: dict[str, Any] = {**self._fields, "model": name}
        if added.usage:
            changed[_OPTIONS] = {**(self._options or {}), "include_usage": True}
        if added.limit_name is not None:
            for other in LIMIT_NAMES[self.endpoint]:  # a -1 or 0 by another name would be no limit
                changed.pop(other, None)
            changed[added.limit_name] = added.limit
        return WireRequest(endpoint=self.endpoint, body=_encode(changed), headers=self._headers)

    def _drawn(self, weight: Weight) -> Weight:
        """Return the weight with what only images have: partial ones, and pictures to begin with."""
        partial = whole(self._fields, PARTIAL_IMAGES, least=0, most=MOST_PARTIAL_IMAGES) or 0
        shown = sum(_entries(self._fields[name]) for name in _PICTURES & self._fields.keys()) * IMAGE_TOKENS
        read = weight.input_tokens + shown
        return msgspec.structs.replace(weight, input_tokens=read, shown_tokens=shown, partial_images=partial)

    def _choices(self) -> int:
        choices = whole(self._fields, "n", least=1, most=MOST_CHOICES) or 1
        if self.endpoint == "completions":
            choices = max(choices, whole(self._fields, "best_of", least=1, most=MOST_CHOICES) or 1)
            choices *= _prompts(self._fields.get("prompt"))
        if choices > MOST_CHOICES:
            raise InvalidRequest(f"At most {MOST_CHOICES} answers can be asked for at once.", param="n")
        return choices


def _entries(raw: msgspec.Raw) -> int:
    """Return how many there are: of a list its length, else one."""
    try:
        return len(_decode_list(raw))
    except msgspec.DecodeError:
        return int(bytes(raw) != b"null")


def _others(fields: dict[str, msgspec.Raw]) -> tuple[str, ...]:
    names: list[str] = _few("models", optional(fields, "models", list) or []) if "models" in fields else []
    for field in _FALLBACKS:
        if field in fields:
            names += _few(field, _fallbacks(fields, field))
    return tuple(dict.fromkeys(names))


def _few(field: str, names: list[str]) -> list[str]:
    if len(names) > MOST_OTHERS or any(len(name) > MODEL_CHARACTERS for name in names):
        raise InvalidRequest(
            f"'{field}' has at most {MOST_OTHERS} names of at most {MODEL_CHARACTERS} characters.", param=field
        )
    return names


def _fallbacks(fields: dict[str, msgspec.Raw], field: str) -> list[str]:
    """Return the names, at most one more than may be: a body may have millions of them."""
    if len(bytes(fields[field])) > _FALLBACK_BYTES:
        raise _no_fallbacks(field)
    try:
        value: Any = msgspec.json.decode(fields[field])
        return [] if value is None else [*islice(_named_in(value, _FALLBACK_DEPTH), MOST_OTHERS + 1)]
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise _no_fallbacks(field) from None


def _no_fallbacks(field: str) -> InvalidRequest:
    return InvalidRequest(
        f"'{field}' must be a short list of models: names, or objects with a 'model' that set no limit, number of "
        "answers, prompt, tools, searches or further models.",
        param=field,
    )


def _named_in(value: Any, depth: int) -> Iterator[str]:
    """Yield the models in names, in objects with a `model`, and in lists of both by the name of what they stand in for.
    Raise `ValueError` where it is none of these, or nested more deeply.
    """
    if depth < 0:
        raise ValueError(depth)
    match value:
        case str():
            yield value
        case list():
            for each in value:
                yield from _named_in(each, depth - 1)
        case {"model": str(name), **more} if (
            _COSTS_MORE.isdisjoint(str(each).casefold() for each in more) and EXTRA_BODY not in more
        ):
            yield name
        case dict() if "model" not in value:
            yield from _named_in([*value.values()], depth - 1)
        case _:
            raise ValueError(value)


def _tokens(body: bytes, *, payloads: bool) -> int:
    try:
        return input_tokens(body, payloads=payloads)
    except RecursionError:
        raise InvalidRequest("The body is nested too deeply.") from None
    except msgspec.DecodeError:
        raise InvalidRequest(_TOO_LARGE) from None


def _prompts(raw: msgspec.Raw | None) -> int:
    if raw is None or not bytes(raw).lstrip().startswith(b"["):
        return 1
    try:
        prompts: list[Any] = msgspec.json.decode(raw)
    except msgspec.DecodeError:
        raise InvalidRequest(_TOO_LARGE, param="prompt") from None
    is_many = bool(prompts) and not isinstance(prompts[0], int)
    return len(prompts) if is_many else 1
