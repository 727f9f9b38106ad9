"""Of which kind the models are that an upstream lists, in which order they come, and what is known of them by name.

The tables here are the only place that knows names of models. They go by patterns, so that a new model is offered
on the day it is listed.
"""

import re
from typing import Any

import msgspec

from daehwa.conversation.ports import Model, ModelKind
from daehwa.providers.upstream import Upstream

PREFERRED = (
    "gpt-6-luna",
    "gpt-5.6-luna",
    "gpt-5.4-mini",
    "gpt-5-mini",
    "gpt-4.1-mini",
    "gpt-4o-mini",
)
"""The default where the settings name none: the first of these that the upstream lists; small, quick and affordable
ones of OpenAI's, newest first. Where it lists none of them, the first model that it lists."""

# What a name surely says of its model, the first that matches. Patterns as texts: `re` compiles each at its first use
# and keeps it. Compiled here, each start would pay for them.
_KINDS: tuple[tuple[str, ModelKind], ...] = (
    (r"(?i)embed|(^|/)bge-(?!rerank)", "embedding"),
    (r"(?i)whisper|transcri|\btts\b|-tts", "audio"),
    (r"(?i)dall-e|gpt-image", "image"),
    (r"(?i)^(text-|code-)?(davinci|babbage|curie|ada)(-|$)|^gpt-3\.5-turbo-instruct", "completion"),
)
# What is then left and yet is no chat model, as its name lets suppose.
_NOT_CHAT = (
    r"(?i)embed|whisper|transcri|\btts\b|-tts|audio|realtime|-live-|speech|voice|dall-e|image|sora|video|moderation|"
    r"rerank|deep-research|computer-use|\bcodex|-codex|davinci|babbage|text-|ocr|guard|bge-|clip"
)
_NOT_CHAT_OPENAI = r"(?i)-pro(-\d|$)|instruct"
"""OpenAI serves these by another wire; elsewhere "instruct" is how a chat model is called."""
_FAR_AWAY = 1 << 40
"""No model was made so many seconds after 1970: what says so says something else."""
_DATED = r"-(?:20\d\d-\d\d-\d\d|\d{4})$"

_CONTEXT_WINDOWS = (
    (r"gpt-4\.1", 1_047_576),
    (r"gpt-4o|gpt-4-turbo|chatgpt-4o", 128_000),
    (r"gpt-4-32k", 32_768),
    (r"gpt-4", 8_192),
    (r"gpt-3\.5-turbo-instruct", 4_096),
    (r"gpt-3\.5", 16_385),
    (r"(davinci|babbage)-002", 16_384),
    (r"text-davinci-00[23]", 4_097),
    (r"gpt-5.*-chat|chat-latest", 128_000),
    (r"gpt-[56]", 400_000),
    (r"o[134](-|$)", 200_000),
)


class _Meta(msgspec.Struct):
    n_ctx: int | None = None
    n_ctx_train: int | None = None


class _Listed(msgspec.Struct):
    id: str
    name: str | None = None
    display_name: str | None = None
    created: float | None = None
    context_length: int | None = None
    context_window: int | None = None
    max_context_length: int | None = None
    max_model_len: int | None = None
    meta: _Meta | None = None
    # Each upstream says in its own way what its models take in, and may come to say it otherwise.
    architecture: Any = None
    capabilities: Any = None
    input_modalities: Any = None
    supports_image_input: Any = None
    supports_vision: Any = None


class _Listing(msgspec.Struct):
    data: list[_Listed]


_decode = msgspec.json.Decoder(_Listing).decode


def named_models(upstream: Upstream) -> list[Model]:
    """Return the models that the settings name: chat models, unless the name surely says otherwise."""
    kinds = {model.name: upstream_kind(upstream, model.name) for model in upstream.models}
    return [
        Model(
            id=f"{upstream.name}/{model.name}",
            name=model.label or model.name,
            provider=upstream.name,
            context_window=model.context_window or upstream.context_window or known_context_window(model.name),
            titles=upstream.titles and kinds[model.name] == "chat",
            kind="chat" if kinds[model.name] == "other" else kinds[model.name],
            sees_images=kinds[model.name] != "completion",
        )
        for model in upstream.models
    ]


def listed_models(upstream: Upstream, body: bytes) -> list[Model]:
    """Return the models in a `/models` body, of every kind. OpenAI's own list has no order: preferred first, then
    newest.

    Raise `msgspec.DecodeError` when it is no list of models.
    """
    listed = _decode(body).data
    if _is_openai(upstream):
        listed.sort(key=_openai_order)
    return [_model(upstream, model) for model in listed]


def upstream_kind(upstream: Upstream, name: str) -> ModelKind:
    """Return the kind of one of an upstream's models: as the settings say, else by its name."""
    return "completion" if name in upstream.completion_models else model_kind(name, is_openai=_is_openai(upstream))


def model_kind(name: str, *, is_openai: bool = False) -> ModelKind:
    """Return what a model of this name most likely does."""
    kind = next((kind for pattern, kind in _KINDS if re.search(pattern, name)), None)
    if kind is not None:
        return kind
    is_other = re.search(_NOT_CHAT, name) or (is_openai and re.search(_NOT_CHAT_OPENAI, name))
    return "other" if is_other else "chat"


def _is_openai(upstream: Upstream) -> bool:
    return upstream.host.endswith("api.openai.com")


def known_context_window(name: str) -> int | None:
    """Return the context window of one of OpenAI's models, by its name."""
    bare = name.rpartition("/")[2]
    return next((window for pattern, window in _CONTEXT_WINDOWS if re.match(pattern, bare)), None)


def _openai_order(model: _Listed) -> tuple[int, bool, float, str]:
    rank = PREFERRED.index(model.id) if model.id in PREFERRED else len(PREFERRED)
    return rank, bool(re.search(_DATED, model.id)), -(model.created or 0), model.id


def _model(upstream: Upstream, listed: _Listed) -> Model:
    told = listed.context_length or listed.context_window or listed.max_model_len or listed.max_context_length
    if told is None and listed.meta is not None:
        told = listed.meta.n_ctx or listed.meta.n_ctx_train
    kind = upstream_kind(upstream, listed.id)
    return Model(
        id=f"{upstream.name}/{listed.id}",
        name=listed.display_name or listed.name or listed.id.removeprefix("models/"),
        provider=upstream.name,
        context_window=upstream.context_window or told or known_context_window(listed.id),
        titles=upstream.titles and kind == "chat",
        kind=kind,
        sees_images=kind != "completion" and not _is_told_blind(listed),
        created=int(listed.created) if listed.created and 0 < listed.created < _FAR_AWAY else None,
    )


def _is_told_blind(listed: _Listed) -> bool:
    """Return whether an upstream says of a model that it takes in no images: OpenRouter by what it takes in, Mistral
    and Anthropic by what it can do, Fireworks and LiteLLM by a word of its own. One that says nothing may see.
    """
    takes_in = (_named(listed.architecture, "input_modalities"), listed.input_modalities)
    if any(isinstance(kinds, list) and kinds and "image" not in kinds for kinds in takes_in):
        return True
    can = (_named(listed.capabilities, "vision"), _named(listed.capabilities, "image_input"))
    told = (*can, _named(can[1], "supported"), listed.supports_image_input, listed.supports_vision)
    return any(word is False for word in told)


def _named(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None
