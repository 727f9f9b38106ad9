"""A DynamoDB that lets whoever asks it do what the function's role lets the function do, and refuses all else."""

import json
from collections.abc import Iterator
from typing import Any, Final

from aiohttp import web
from dynamodb_proxy import KIND, DynamoProxy

from daehwa.stores.dynamodb_table import ACTIONS, LISTS

_TRANSACTIONS: Final = {"TransactWriteItems", "TransactGetItems"}
_PARTS: Final = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
    "Get": "GetItem",
}


class RoleBound(DynamoProxy):
    """Stands before a DynamoDB and one table of it; `refused` is what was asked and is not granted."""

    def __init__(self, endpoint: str, table: str) -> None:
        super().__init__(endpoint)
        self.refused: list[str] = []
        self._table = table

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Refuse what is not granted."""
        body = await request.read()
        action = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
        for needed, table, index in _needed(action, json.loads(body)):
            if needed not in ACTIONS or table != self._table or index not in {None, LISTS}:
                self.refused.append(f"{needed} on {table}" + ("" if index is None else f"/index/{index}"))
                return _denied(needed)
        return await self.handed_on(request, body)


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
    return web.Response(status=400, body=json.dumps(said).encode(), content_type=KIND)
