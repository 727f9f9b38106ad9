"""A DynamoDB that lets whoever asks it do what the function's role lets the function do, and refuses all else."""

import json
from collections.abc import Iterator
from typing import Any, Final, Self

import aiohttp
from aiohttp import web

from daehwa.stores.dynamodb_table import ACTIONS, LISTS

_TRANSACTIONS: Final = {"TransactWriteItems", "TransactGetItems"}
_PARTS: Final = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
    "Get": "GetItem",
}
_KIND: Final = "application/x-amz-json-1.0"


class RoleBound:
    """Stands before a DynamoDB and one table of it; `refused` is what was asked and is not granted."""

    def __init__(self, endpoint: str, table: str) -> None:
        self.refused: list[str] = []
        self.endpoint = ""
        self._behind = endpoint
        self._table = table
        self._runner: web.AppRunner | None = None
        self._client: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._client = aiohttp.ClientSession(auto_decompress=False)
        app = web.Application(client_max_size=32_000_000)
        app.router.add_route("*", "/{rest:.*}", self._handle)
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

    async def _handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        action = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
        for needed, table, index in _needed(action, json.loads(body)):
            if needed not in ACTIONS or table != self._table or index not in {None, LISTS}:
                self.refused.append(f"{needed} on {table}" + ("" if index is None else f"/index/{index}"))
                return _denied(needed)
        return await self._handed_on(request, body)

    async def _handed_on(self, request: web.Request, body: bytes) -> web.Response:
        assert self._client is not None
        dropped = {"host", "content-length", "accept-encoding"}
        headers = {name: text for name, text in request.headers.items() if name.lower() not in dropped}
        async with self._client.request(request.method, self._behind, data=body, headers=headers) as answer:
            return web.Response(status=answer.status, body=await answer.read(), content_type=_KIND)


def _needed(action: str, asked: dict[str, Any]) -> Iterator[tuple[str, str, str | None]]:
    """Yield what a request needs: the action, the table, and the index where it asks one."""
    if action in _TRANSACTIONS:
        for item in asked["TransactItems"]:
            for kind, part in item.items():
                yield _PARTS[kind], part["TableName"], None
    elif "RequestItems" in asked:
        for table in asked["RequestItems"]:
            yield action, table, None
    else:
        yield action, asked.get("TableName", ""), asked.get("IndexName")


def _denied(action: str) -> web.Response:
    said = {
        "__type": "com.amazon.coral.service#AccessDeniedException",
        "Message": f"The function's role is not authorized to perform: dynamodb:{action}",
    }
    return web.Response(status=400, body=json.dumps(said).encode(), content_type=_KIND)
