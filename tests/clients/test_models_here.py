"""The official client against models that are no upstream's: the embedded one, and a scripted one."""

from pathlib import Path
from typing import Any

import openai
import pytest
from clients.asks import HELLO
from cores import Core
from gateway.bed import Bed
from openai import AsyncOpenAI
from openai.types import Completion
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from program import serving as serving_program
from pydantic import TypeAdapter
from server.serving import serving

SHORT: dict[str, Any] = {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 8, "temperature": 0}


def _validate(kind: Any, answer: Any) -> None:
    TypeAdapter(kind).validate_python(answer.model_dump(exclude_unset=True))


@pytest.mark.embedded
async def test_the_embedded_model_serves_chat_completions_and_models(tmp_path: Path) -> None:
    async with (
        serving_program(tmp_path / "data", {}) as program,
        AsyncOpenAI(base_url=f"{program.address}/v1", api_key="any", max_retries=0, timeout=60) as client,
    ):
        (model,) = [model.id async for model in client.models.list()]
        whole = await client.chat.completions.create(model=model, **SHORT)
        _validate(ChatCompletion, whole)
        assert whole.usage is not None
        assert 0 < whole.usage.completion_tokens <= SHORT["max_tokens"]
        events = [
            event
            async for event in await client.chat.completions.create(
                model=model, **SHORT, stream=True, stream_options={"include_usage": True}
            )
        ]
        for event in events:
            _validate(ChatCompletionChunk, event)
        said = "".join(choice.delta.content or "" for event in events for choice in event.choices)
        assert said == whole.choices[0].message.content
        assert events[-1].usage is not None
        prompted = await client.completions.create(model=model, prompt="Once upon a", max_tokens=4, temperature=0)
        _validate(Completion, prompted)
        assert prompted.choices[0].text
        for _ in range(6):  # more than open a circuit: what it cannot do is no fault of its own
            with pytest.raises(openai.APIStatusError, match="does not serve /v1/embeddings"):
                await client.embeddings.create(model=model, input="one")
        assert (await client.chat.completions.create(model=model, **SHORT)).choices


async def test_a_scripted_model_is_asked_as_any_other(tmp_path: Path) -> None:
    bed = Bed()
    async with (
        serving(Core(), tmp_path, programs=bed.programs()) as site,
        AsyncOpenAI(base_url=f"http://127.0.0.1:{site.port}/v1", api_key="any", max_retries=0) as client,
    ):
        asked = {**HELLO, "model": "parrot"}
        whole = await client.chat.completions.create(**asked)
        assert whole.choices[0].message.content == "You said: Hello, 세계!"
        events = [event async for event in await client.chat.completions.create(**asked, stream=True)]
        assert "".join(event.choices[0].delta.content or "" for event in events) == "You said: Hello, 세계! "
        assert [model.id async for model in client.models.list()] == ["scripted/parrot"]
    assert [outcome.usage for outcome in bed.meter.outcomes] == [bed.usage, bed.usage]
