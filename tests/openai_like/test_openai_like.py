"""The OpenAI-like upstream keeps to OpenAI's own types, and says the same to the same request."""

from typing import Any

import pytest
from clients.asks import ASKS, FAILING, Ask
from clients.recording import record_async, record_in_thread
from openai import AsyncOpenAI, OpenAI
from openai.types import Completion, CreateEmbeddingResponse, ImagesResponse, ModerationCreateResponse
from openai.types.audio import Transcription, TranscriptionStreamEvent, TranscriptionVerbose
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.image_edit_stream_event import ImageEditStreamEvent
from openai.types.image_gen_stream_event import ImageGenStreamEvent
from openai.types.responses import Response, ResponseStreamEvent
from openai_like.faults import STATUSES
from openai_like.server import OpenAiLike
from openai_like.wording import KEY
from pydantic import TypeAdapter

WHOLE: dict[str, Any] = {
    "chat.completions.create": ChatCompletion,
    "completions.create": Completion,
    "responses.create": Response,
    "embeddings.create": CreateEmbeddingResponse,
    "audio.transcriptions.create": Transcription | TranscriptionVerbose,
    "audio.translations.create": Transcription,
    "images.generate": ImagesResponse,
    "images.edit": ImagesResponse,
    "images.create_variation": ImagesResponse,
    "audio.speech.create": str,  # sound, in base64
    "moderations.create": ModerationCreateResponse,
}
STREAMED: dict[str, Any] = {
    "chat.completions.create": ChatCompletionChunk,
    "completions.create": Any,  # the package's type wants a reason to finish in each piece, which OpenAI never gave
    "responses.create": ResponseStreamEvent,
    "audio.transcriptions.create": TranscriptionStreamEvent,
    "images.generate": ImageGenStreamEvent,
    "images.edit": ImageEditStreamEvent,
}


def _validate(ask: Ask, recorded: dict[str, Any]) -> None:
    adapter = TypeAdapter((STREAMED if "events" in recorded else WHOLE)[ask.call])
    for answer in recorded.get("events", [recorded.get("answer")]):
        if not isinstance(answer, str):
            adapter.validate_python(answer)


pytestmark = pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")  # so the package calls translations


async def test_answers_are_of_openais_types_and_the_same_each_time() -> None:
    async with OpenAiLike() as upstream, AsyncOpenAI(base_url=upstream.base_url, api_key=KEY) as client:
        for ask in ASKS[:-1]:
            first, second = await record_async(client, ask), await record_async(client, ask)
            assert first == second, ask.name
            assert first.get("status") == 200, (ask.name, first)
            _validate(ask, first)


async def test_sync_and_async_clients_see_the_same() -> None:
    async with OpenAiLike() as upstream, AsyncOpenAI(base_url=upstream.base_url, api_key=KEY) as waits:
        with OpenAI(base_url=upstream.base_url, api_key=KEY) as blocks:
            for ask in ASKS:
                assert await record_in_thread(blocks, ask) == await record_async(waits, ask), ask.name


async def test_faults_come_as_they_are_named() -> None:
    async with (
        OpenAiLike() as upstream,
        AsyncOpenAI(base_url=upstream.base_url, api_key=KEY, max_retries=0) as client,
    ):
        for ask in FAILING:
            _check(ask, await record_async(client, ask))


def _check(ask: Ask, recorded: dict[str, Any]) -> None:
    model = ask.body["model"]
    if model in STATUSES:
        assert recorded["status"] == STATUSES[model], ask.name
        assert recorded["class"].endswith("Error"), ask.name
    elif model == "fails-slow":
        assert recorded["status"] == 200, ask.name
    elif ask.body.get("stream"):
        assert recorded["events"], ask.name
        assert recorded["class"] == ("APIError" if model == "fails-inside" else "APIConnectionError"), ask.name
