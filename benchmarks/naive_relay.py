"""What is written first when such a gateway is written: FastAPI, the openai package, sse-starlette.

UPSTREAM=http://127.0.0.1:9100 uvicorn naive_relay:app
"""

import os
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI
from openai import AsyncOpenAI
from sse_starlette.sse import EventSourceResponse

client = AsyncOpenAI(base_url=os.environ["UPSTREAM"] + "/v1", api_key="benchmark")
app = FastAPI()


@app.get("/v1/models")
async def models() -> dict[str, Any]:
    """List nothing: it is here to be found up."""
    return {"object": "list", "data": []}


@app.post("/v1/chat/completions")
async def chat_completions(body: dict[str, Any]) -> Any:
    """Pass a chat on and its answer back."""
    answer: Any = await client.chat.completions.create(**body)
    if not body.get("stream"):
        return answer

    async def events() -> AsyncIterator[str]:
        async for chunk in answer:
            yield chunk.model_dump_json()
        yield "[DONE]"

    return EventSourceResponse(events())
