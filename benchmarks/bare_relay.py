"""The least that relays: Starlette and aiohttp, nothing checked, nothing counted. What others are measured by.

UPSTREAM=http://127.0.0.1:9100 uvicorn bare_relay:app
"""

import contextlib
import os
from collections.abc import AsyncIterator

import aiohttp
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route


@contextlib.asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """Keep one client for all requests."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(os.environ["UPSTREAM"], connector=connector, auto_decompress=False) as client:
        app.state.client = client
        yield


async def relay(request: Request) -> Response:
    """Pass a request on and its answer back."""
    client: aiohttp.ClientSession = request.app.state.client
    sent = await request.body()
    headers = {"content-type": "application/json", "authorization": "Bearer benchmark"}
    answer = await client.request(request.method, request.url.path, data=sent or None, headers=headers)
    media_type = answer.headers.get("content-type")
    if media_type != "text/event-stream":
        async with answer:
            return Response(await answer.read(), answer.status, media_type=media_type)

    async def pieces() -> AsyncIterator[bytes]:
        async with answer:
            async for piece in answer.content.iter_any():
                yield piece

    return StreamingResponse(pieces(), answer.status, media_type=media_type)


app = Starlette(routes=[Route("/v1/{path:path}", relay, methods=["GET", "POST"])], lifespan=lifespan)
