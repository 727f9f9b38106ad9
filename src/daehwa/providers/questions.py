"""What an upstream is asked for a reply: the path and the body of a request, fit for what the upstream knows."""

import asyncio
from binascii import b2a_base64
from collections.abc import Mapping
from typing import Any, TypeAlias

import msgspec

from daehwa.conversation.images import Image
from daehwa.conversation.ports import GenerationRequest, Model, PromptMessage
from daehwa.providers.listing import known_context_window, upstream_kind
from daehwa.providers.upstream import Upstream

_OLD_LIMIT = "max_tokens"
_NEW_LIMIT = "max_completion_tokens"
_OFFICIAL = frozenset({"api.openai.com", "eu.api.openai.com", "us.api.openai.com"})


Worded: TypeAlias = Mapping[str, msgspec.Raw]
"""Images as parts of a message on the wire, by their ids."""
NO_IMAGES: Worded = {}


async def worded(images: Mapping[str, Image]) -> Worded:
    """Return images as they are sent. Base64 of megabytes is made once for all tries of a request, and image by image:
    others are answered between them.
    """
    made: dict[str, msgspec.Raw] = {}
    for name, image in images.items():
        made[name] = _worded(image)
        await asyncio.sleep(0)
    return made


def _worded(image: Image) -> msgspec.Raw:
    data = b2a_base64(image.data, newline=False)
    head = b'{"type":"image_url","image_url":{"url":"data:%b;base64,' % image.media_type.encode()
    return msgspec.Raw(b'%b%b"}}' % (head, data))


class Questions:
    """Words the requests to one upstream, and learns what it does not know."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._asks_usage = True
        # OpenAI's newer models refuse the old name, most other upstreams know no other.
        self._limit_names: dict[str, str] = {}
        self._known: dict[str, Model] = {}

    def note(self, models: list[Model]) -> list[Model]:
        """Remember what is known of the upstream's models, and return them."""
        self._known |= {model.id.removeprefix(f"{self._upstream.name}/"): model for model in models}
        return models

    def is_prompt(self, model: str) -> bool:
        """Return whether a model goes on with a prompt, rather than answering messages."""
        known = self._known.get(model)
        return (upstream_kind(self._upstream, model) if known is None else known.kind) == "completion"

    def path(self, model: str) -> str:
        """Return the endpoint that a model answers at."""
        return "completions" if self.is_prompt(model) else "chat/completions"

    def trim(self, request: GenerationRequest) -> str:
        """Return the letters that are left out at the beginning of the answer to a request."""
        if not self.is_prompt(request.model):
            return ""
        from daehwa.providers.prompts import trim_of  # noqa: PLC0415 - few have such models

        return trim_of(request.messages)

    def body(self, request: GenerationRequest, images: Worded = NO_IMAGES) -> bytes:
        """Return the body of a request; `images` are those that it shows, as `worded` makes them. Where both it and the
        settings limit the answer, the smaller limit is sent.
        """
        is_prompt = self.is_prompt(request.model)
        body: dict[str, Any] = {"model": request.model}
        if is_prompt:
            body |= self._prompt(request)
        elif images:
            body["messages"] = [
                {"role": message.role, "content": _content(message, images)} for message in request.messages
            ]
        else:
            body["messages"] = [{"role": message.role, "content": message.text} for message in request.messages]
        body |= {"stream": True, **self._upstream.extra_body}
        if self._asks_usage:
            body["stream_options"] = {"include_usage": True}
        if request.max_output_tokens is not None:
            limits = [body.pop(name, None) for name in self._names(request.model)]
            known = [limit for limit in limits if isinstance(limit, int) and limit > 0]
            most = max(known, default=request.max_output_tokens)
            body[self._limit_name(request.model)] = min(most, request.max_output_tokens)
        return msgspec.json.encode(body)

    def answer_limit(self, model: str) -> int | None:
        """Return how many tokens the settings let an answer of a model have, None where they do not say it."""
        return self._upstream.output_limit(self._names(model))

    def searches(self, model: str) -> bool:
        """Return whether a model reads what it finds."""
        return self._upstream.searches(model)

    def _prompt(self, request: GenerationRequest) -> dict[str, Any]:
        from daehwa.providers.prompts import STOPS, output_limit, prompt_of  # noqa: PLC0415 - as above

        prompt = prompt_of(request.messages)
        known = self._known.get(request.model)
        window = known_context_window(request.model) if known is None else known.context_window
        room = output_limit(prompt, window or self._upstream.context_window)
        return {"prompt": prompt, "stop": list(STOPS), _OLD_LIMIT: room}

    def _names(self, model: str) -> tuple[str, ...]:
        return (_OLD_LIMIT,) if self.is_prompt(model) else (_NEW_LIMIT, _OLD_LIMIT)

    def _limit_name(self, model: str) -> str:
        """Return the name that the upstream is known to take, else the one that the settings have for it."""
        if self.is_prompt(model):
            return _OLD_LIMIT
        usual = _NEW_LIMIT if self._upstream.host in _OFFICIAL else _OLD_LIMIT
        settled = [name for name in (_NEW_LIMIT, _OLD_LIMIT) if name in self._upstream.extra_body]
        return self._limit_names.get(model, settled[0] if len(settled) == 1 else usual)

    def adapt_to(self, refusal: str, request: GenerationRequest) -> bool:
        """Return whether the request will be another one now that the upstream named what it does not know."""
        if self._asks_usage and ("stream_options" in refusal or "include_usage" in refusal):
            self._asks_usage = False
            return True
        name = self._limit_name(request.model)
        if request.max_output_tokens is None or name not in refusal or request.model in self._limit_names:
            return False
        if self.is_prompt(request.model):
            return False
        self._limit_names[request.model] = _OLD_LIMIT if name == _NEW_LIMIT else _NEW_LIMIT
        return True


def _content(message: PromptMessage, images: Worded) -> str | list[Any]:
    """Return what a message says as it is sent: a plain text where it shows nothing."""
    shown: list[Any] = [images[part.image] for part in message.images if part.image in images]
    if not shown:
        return message.text
    return [*shown, {"type": "text", "text": message.text}] if message.text else shown
