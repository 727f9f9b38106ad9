"""What stands before a DynamoDB: an HTTP server that hands requests on, or does something else with them."""

from typing import Self

import aiohttp
from aiohttp import web

KIND = "application/x-amz-json-1.0"
_NOT_HANDED_ON = frozenset({"host", "content-length", "accept-encoding"})


class DynamoProxy:
    """Hands all requests on to `behind`; `endpoint` is its own address while it listens."""

    def __init__(self, behind: str) -> None:
        self.endpoint = ""
        self._behind = behind
        self._runner: web.AppRunner | None = None
        self._client: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._client = aiohttp.ClientSession(auto_decompress=False)
        app = web.Application(client_max_size=32_000_000)
        app.router.add_route("*", "/{rest:.*}", self.handle)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.endpoint = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        assert self._client is not None
        await self._runner.cleanup()
        await self._client.close()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request."""
        return await self.handed_on(request, await request.read())

    async def handed_on(self, request: web.Request, body: bytes) -> web.Response:
        """Return what is answered to this body behind."""
        assert self._client is not None
        headers = {name: text for name, text in request.headers.items() if name.lower() not in _NOT_HANDED_ON}
        async with self._client.request(request.method, self._behind, data=body, headers=headers) as answer:
            kind = answer.headers.get("content-type", KIND).partition(";")[0]
            return web.Response(status=answer.status, body=await answer.read(), content_type=kind)
