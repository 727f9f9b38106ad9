"""The rows of the dialects that other programs speak."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from daehwa.accounts.errors import (
    BudgetExceeded,
    KeyRefused,
    ModelNotAllowed,
    NotAllowed,
    PriceUnknown,
    RateExceeded,
)
from daehwa.conversation.errors import (
    Conflict,
    InvalidRequest,
    KeyNotSet,
    ModelNotFound,
    ModelNotInstalled,
    ModelNotOffered,
    ProviderError,
    ProviderRateLimitError,
    ProviderTimeoutError,
    ProviderUnavailableError,
    StoreError,
    TimeIsUp,
    TooMuch,
)
from daehwa.server.errors import BodyTooSlow, RouteNotFound, TooManyAtOnce, UnsupportedMediaType
from daehwa.server.openai_v1.api import DescribedV1, ListedModel, ModelList, OpenAIV1
from daehwa.server.routing import Handler, Operation

if TYPE_CHECKING:
    from daehwa.server.classic import ClassicApi

_REFUSED = (KeyRefused, NotAllowed, ModelNotAllowed, ModelNotOffered)
_MODEL = (ModelNotFound, ModelNotInstalled, KeyNotSet)
_CALL = (
    *(InvalidRequest, *_REFUSED, PriceUnknown, *_MODEL, Conflict, TooMuch, BodyTooSlow, TooManyAtOnce),
    *(BudgetExceeded, RateExceeded, ProviderError, ProviderRateLimitError, ProviderUnavailableError),
    *(ProviderTimeoutError, StoreError, TimeIsUp),
)


def program_operations(openai: OpenAIV1, classic: "ClassicApi | None") -> Iterator[Operation]:
    """Yield them."""
    yield from _openai(openai)
    yield from _described(DescribedV1())
    if classic is not None:
        yield from _classic(classic)


def _openai(api: OpenAIV1) -> Iterator[Operation]:
    calls: tuple[tuple[str, Handler], ...] = (
        ("/v1/chat/completions", api.create_chat_completion),
        ("/v1/completions", api.create_completion),
        ("/v1/responses", api.create_response),
        ("/v1/embeddings", api.create_embedding),
        ("/v1/images/generations", api.create_image),
        ("/v1/audio/speech", api.create_speech),
        ("/v1/moderations", api.create_moderation),
    )
    for path, handler in calls:
        yield Operation("POST", path, handler, errors=(*_CALL, UnsupportedMediaType), is_open=True)
    uploads: tuple[tuple[str, Handler], ...] = (
        ("/v1/audio/transcriptions", api.create_transcription),
        ("/v1/audio/translations", api.create_translation),
        ("/v1/images/edits", api.edit_image),
        ("/v1/images/variations", api.create_image_variation),
    )
    for path, handler in uploads:
        yield Operation("POST", path, handler, errors=(*_CALL, UnsupportedMediaType), is_open=True)
    one, errors = "/v1/models/{model}", (ModelNotFound, KeyRefused, NotAllowed, StoreError)
    yield Operation("GET", "/v1/models", api.list_models, answers=(ModelList,), errors=errors[1:], is_open=True)
    yield Operation(
        "GET", one, api.retrieve_model, answers=(ListedModel,), errors=errors, is_open=True, has_slashes=True
    )


def _described(api: DescribedV1) -> Iterator[Operation]:
    yield Operation("GET", "/v1/openapi.json", api.get_v1_openapi, answers=(dict,), is_open=True)


def _classic(api: "ClassicApi") -> Iterator[Operation]:
    from daehwa.server.classic import ClassicAnswer, ClassicQuestion  # noqa: PLC0415 - seldom wanted where people sign in

    chats = (("/chat", api.answer_classic), ("/classic/chat", api.answer_classic_beside))
    for path, handler in chats:
        yield Operation("POST", path, handler, body=ClassicQuestion, answers=(ClassicAnswer,), is_open=api.needs_keys)
    if api.folder is not None:
        yield Operation("GET", "/classic", api.go_to_classic_start, status=308)
        yield Operation("GET", "/classic/", api.get_classic_start, errors=(RouteNotFound,))
        yield Operation("GET", "/classic/{file}", api.get_classic_file, errors=(RouteNotFound,), has_slashes=True)
