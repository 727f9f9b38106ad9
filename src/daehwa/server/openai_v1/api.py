"""OpenAI's endpoints. Each handler checks who calls, reads what is asked, and leaves the rest to the gateway."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, TypeAlias

import msgspec

from daehwa.accounts.keys import Caller
from daehwa.accounts.minting import KEY_BEGINNING
from daehwa.conversation.ports import Model
from daehwa.conversation.room import Room
from daehwa.gateway.asking import Asked, JsonAsked
from daehwa.gateway.callers import Callers
from daehwa.gateway.calls import Gateway
from daehwa.gateway.ports import Endpoint
from daehwa.gateway.under_way import CallsUnderWay
from daehwa.server.asgi import Request, Response, json_response
from daehwa.server.body import BodyPieces, check_plain, checked_json_type, read_body
from daehwa.server.deadline import deadline_of
from daehwa.server.openai_v1.relay import Relay

Answering: TypeAlias = Coroutine[Any, Any, Relay]

_PASSED_ON = (b"openai-beta", b"x-client-request-id")
"""Headers of the client that are its word to the upstream. All others are between it and this server."""


class WireLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What a request may hold at most, in bytes, and how many seconds it may take to arrive.

    `upload_bytes` is OpenAI's own limit of a recording, with a little room for what is beside it.
    """

    json_bytes: int = 32_000_000
    upload_bytes: int = 27_000_000
    body_seconds: float = 120.0
    upload_seconds: float = 600.0


WIRE_LIMITS = WireLimits()


CREATED_UNKNOWN = 1_672_531_200
"""Stands for when a model was made where nobody says so: clients show it as a date, and 0 as one in 1970."""


class ListedModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model as OpenAI lists one. `created` is what its upstream says, else 1672531200 (the beginning of 2023)."""

    id: str
    object: str = "model"
    created: int
    owned_by: str


class ModelList(msgspec.Struct, frozen=True, kw_only=True):
    """The models that the caller may ask."""

    object: str = "list"
    data: tuple[ListedModel, ...]


class OpenAIV1:
    """The operations under /v1. `has_deadline`: each request says when this process will be stopped. Large requests
    have a share of `room` until an upstream has begun to answer them.
    """

    def __init__(
        self,
        gateway: Gateway,
        callers: Callers,
        limits: WireLimits = WIRE_LIMITS,
        *,
        has_deadline: bool = False,
        room: Room | None = None,
    ) -> None:
        self._gateway = gateway
        self._room = room or Room()
        self._has_deadline = has_deadline
        self._callers = callers
        self._limits = limits

    def create_chat_completion(self, request: Request) -> Answering:
        """Answer a chat, whole or as a stream of chunks."""
        return self._relayed(request, "chat/completions")

    def create_completion(self, request: Request) -> Answering:
        """Go on with a prompt, whole or as a stream of chunks."""
        return self._relayed(request, "completions")

    def create_response(self, request: Request) -> Answering:
        """Answer by the Responses API, whole or as a stream of events."""
        return self._relayed(request, "responses")

    def create_embedding(self, request: Request) -> Answering:
        """Turn texts into vectors."""
        return self._relayed(request, "embeddings")

    def create_image(self, request: Request) -> Answering:
        """Make images from a text."""
        return self._relayed(request, "images/generations")

    async def edit_image(self, request: Request) -> Relay:
        """Change images as a text says."""
        return await self._drawn(request, "images/edits")

    async def create_image_variation(self, request: Request) -> Relay:
        """Make variations of an image."""
        return await self._drawn(request, "images/variations")

    def create_speech(self, request: Request) -> Answering:
        """Speak a text: as sound, which is handed on as it comes, or as a stream of events."""
        return self._relayed(request, "audio/speech")

    def create_moderation(self, request: Request) -> Answering:
        """Say whether texts and images may be harmful."""
        return self._relayed(request, "moderations")

    async def create_transcription(self, request: Request) -> Relay:
        """Write down what a recording says; the file is handed on while it arrives."""
        return await self._uploaded(request, "audio/transcriptions")

    async def create_translation(self, request: Request) -> Relay:
        """Write down in English what a recording says; the file is handed on while it arrives."""
        return await self._uploaded(request, "audio/translations")

    async def list_models(self, request: Request) -> Response:
        """Return the models that the caller may ask, aliases first."""
        with self._gateway.calls.one():
            models = await self._gateway.models(await self.caller_of(request))
        return json_response(ModelList(data=tuple(_listed(model, model.id) for model in models)))

    async def retrieve_model(self, request: Request) -> Response:
        """Return one model by its id, its bare name or an alias."""
        name = request.path["model"]
        with self._gateway.calls.one():
            model = await self._gateway.model(await self.caller_of(request), name)
        return json_response(_listed(model, name))

    def caller_of(self, request: Request) -> Awaitable[Caller]:
        """Return who calls, by the headers that OpenAI's clients, and Azure's and Anthropic's, send a key in."""
        return self._callers.caller_of(bearer_of(request))

    @property
    def calls(self) -> CallsUnderWay:
        """The calls under way, those of other dialects too."""
        return self._gateway.calls

    async def _relayed(self, request: Request, endpoint: Endpoint) -> Relay:
        with self._gateway.calls.one() as call:
            caller = call.is_by(await self.caller_of(request))
            checked_json_type(request)
            request.user = caller.user
            body = await read_body(request, self._limits.json_bytes, self._limits.body_seconds, self._room)
        return self._relay(request, caller, JsonAsked(endpoint, body, _passed_on(request)))

    async def _uploaded(self, request: Request, endpoint: Endpoint) -> Relay:
        from daehwa.gateway.uploads import UploadAsked  # noqa: PLC0415 - each start pays for imports

        async def keep(model: str) -> bool:
            return request.header(b"idempotency-key") is not None or await self._gateway.has_choice(model, endpoint)

        return await self._formed(request, partial(UploadAsked.read, endpoint, keep=keep))

    async def _drawn(self, request: Request, endpoint: Endpoint) -> Relay:
        from daehwa.gateway.image_forms import ImageFormAsked  # noqa: PLC0415 - as above

        return await self._formed(request, partial(ImageFormAsked.read, endpoint))

    async def _formed(self, request: Request, read: Callable[..., Awaitable[Asked]]) -> Relay:
        """Read a form by what is given its type, its pieces and its `length`."""
        limits = self._limits
        kind = request.header(b"content-type") or ""
        with self._gateway.calls.one() as call:
            caller = call.is_by(await self.caller_of(request))
            check_plain(request)
            body = BodyPieces(request, limits.upload_bytes, limits.upload_seconds)
            asked = await read(kind, body.pieces(), length=body.length)
        return self._relay(request, caller, asked, body.done)

    def _relay(self, request: Request, caller: Caller, asked: Asked, body: asyncio.Event | None = None) -> Relay:
        key = request.header(b"idempotency-key")
        close = None if isinstance(asked, JsonAsked) else asked.close
        deadline = deadline_of(request) if self._has_deadline else None
        return Relay(
            lambda claimed: self._gateway.ask(caller, asked, idempotency_key=key, claimed=claimed),
            self._gateway.calls.one(caller, deadline=deadline),
            body=body,
            close=close,
            share=request.handed_share(),
        )


class DescribedV1:
    """The document, made when it is first asked for."""

    def __init__(self) -> None:
        self._document: bytes | None = None

    async def get_v1_openapi(self, _request: Request) -> Response:
        """Return the OpenAPI 3.1 document of OpenAI's dialect, as far as this server reads it."""
        if self._document is None:
            from daehwa.server.openai_v1.described import v1_document  # noqa: PLC0415 - each start pays for imports

            self._document = msgspec.json.encode(v1_document())
        headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-cache")]
        return Response(200, self._document, headers)


def bearer_of(request: Request) -> str | None:
    """Return the key that a request brings."""
    header = request.header(b"authorization")
    if header is not None:
        scheme, _, text = header.partition(" ")
        return text.strip() if scheme.lower() == "bearer" else header
    other = request.header(b"x-api-key")
    # On AWS this header is what CloudFront shows to API Gateway, with every request.
    is_ours = other is not None and other.startswith(KEY_BEGINNING)
    return request.header(b"api-key") or (other if is_ours else None)


def _passed_on(request: Request) -> tuple[tuple[str, str], ...]:
    headers = request.scope["headers"]
    return tuple([(name.decode(), value.decode("latin-1")) for name, value in headers if name in _PASSED_ON])


def _listed(model: Model, name: str) -> ListedModel:
    return ListedModel(id=name, created=model.created or CREATED_UNKNOWN, owned_by=model.provider)
