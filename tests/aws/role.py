"""A DynamoDB that lets whoever asks it do what the function's role lets the function do, and refuses all else."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Final

from aiohttp import web
from dynamodb_proxy import KIND, DynamoProxy

from daehwa.stores.dynamodb_table import ACTIONS, LISTS, PARTITION_KEY, SORT_KEY

_TRANSACTION_SECONDS: Final = 0.01
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
        self.actions: Counter[str] = Counter()
        """How often each action was asked for."""
        self.table = table
        self._held = ""
        self.arrived, self.released = asyncio.Event(), asyncio.Event()
        """The request that is held is there, and may be handed on."""

    def hold(self, action: str) -> None:
        """Let the next request of this action come late: once `released` is set."""
        self._held = action

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Refuse what is not granted."""
        body = await request.read()
        action = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
        self.actions[action] += 1
        if action == self._held:
            self._held = ""
            self.arrived.set()
            await self.released.wait()
        for needed, table, index in _needed(action, json.loads(body)):
            if needed not in ACTIONS or table != self.table or index not in {None, LISTS}:
                self.refused.append(f"{needed} on {table}" + ("" if index is None else f"/index/{index}"))
                return _denied(needed)
        return await self.handed_on(request, body)


class Busy(RoleBound):
    """One whose transactions take as long as AWS's, and are refused where another one holds an item of theirs: DynamoDB
    Local does one after the other instead. `met` counts those that were refused.
    """

    def __init__(self, endpoint: str, table: str) -> None:
        super().__init__(endpoint, table)
        self.met = 0
        self._holding = set[str]()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Let a transaction hold its items."""
        if not request.headers.get("X-Amz-Target", "").endswith(".TransactWriteItems"):
            return await super().handle(request)
        items = [_held_by(item) for item in json.loads(await request.read())["TransactItems"]]
        if not self._holding.isdisjoint(items):
            self.met += 1
            return _cancelled("TransactionConflict" if item in self._holding else "None" for item in items)
        self._holding.update(items)
        try:
            await asyncio.sleep(_TRANSACTION_SECONDS)
            return await super().handle(request)
        finally:
            self._holding.difference_update(items)


def _held_by(operation: dict[str, Any]) -> str:
    (part,) = operation.values()
    key = part.get("Key") or part["Item"]
    return json.dumps([key[PARTITION_KEY], key[SORT_KEY]])


def _cancelled(codes: Iterable[str]) -> web.Response:
    said = {
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "Message": "Transaction cancelled, please refer to the reasons.",
        "CancellationReasons": [{"Code": code, "Message": "Transaction is ongoing for the item"} for code in codes],
    }
    return web.Response(status=400, body=json.dumps(said).encode(), content_type=KIND)


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
