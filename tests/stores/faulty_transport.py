"""A way to the table that fails on demand, as the network and DynamoDB do; what does not fail goes through."""

import asyncio
import json
from collections import Counter, defaultdict, deque
from collections.abc import Awaitable, Callable
from typing import Any, Literal, TypeAlias

from aiodynamo.http.types import Request, RequestFailed, Response

from daehwa.http_client.errors import ConnectionLost

Send: TypeAlias = Callable[[Request], Awaitable[Response]]
Fault: TypeAlias = Literal[
    "throttled",
    "too fast",
    "too many requests",
    "500",
    "502",
    "503",
    "no answer",
    "cut",
    "lost answer",
    "partial",
    "behind",
]

_REFUSALS = {
    "throttled": (400, "ThrottlingException"),
    "too fast": (400, "ProvisionedThroughputExceededException"),
    "too many requests": (400, "RequestLimitExceeded"),
    "500": (500, "InternalServerError"),
    "502": (502, "BadGateway"),
    "503": (503, "ServiceUnavailable"),
}


class FaultyTransport:
    """Sends requests. `fail` makes coming ones of an action fail, `actions` counts all, `sent` keeps their bodies, and
    `most_at_once` is how many of an action were under way side by side.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._faults: defaultdict[str, deque[Fault]] = defaultdict(deque)
        self.actions: Counter[str] = Counter()
        self.most_at_once: Counter[str] = Counter()
        self._under_way: Counter[str] = Counter()
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self._held = ""
        self.fetched, self.released = asyncio.Event(), asyncio.Event()
        """The answer that is held has come, and may be told."""

    def fail(self, action: str, *faults: Fault) -> None:
        self._faults[action].extend(faults)

    def recover(self) -> None:
        """Let nothing fail any more."""
        self._faults.clear()

    def hold(self, action: str) -> None:
        """Tell the answer to the next request of this action only once `released` is set."""
        self._held = action

    async def __call__(self, request: Request) -> Response:
        action = (request.headers or {})["X-Amz-Target"].rpartition(".")[2]
        self.actions[action] += 1
        self.sent.append((action, json.loads(request.body or b"{}")))
        self._under_way[action] += 1
        self.most_at_once[action] = max(self.most_at_once[action], self._under_way[action])
        try:
            if action == self._held:
                self._held = ""
                answer = await self._send(request)
                self.fetched.set()
                await self.released.wait()
                return answer
            if not self._faults[action]:
                return await self._send(request)
            return await self._failed(request, self._faults[action].popleft())
        finally:
            self._under_way[action] -= 1

    async def _failed(self, request: Request, fault: Fault) -> Response:
        if fault in _REFUSALS:
            status, name = _REFUSALS[fault]
            return Response(status, json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{name}"}).encode())
        if fault == "no answer":
            raise TimeoutError
        if fault == "cut":
            raise RequestFailed(ConnectionLost())
        if fault == "lost answer":
            await self._send(request)
            raise RequestFailed(ConnectionLost())
        if fault == "behind":  # as an index that does not know yet
            return Response(200, b'{"Items":[],"Count":0,"ScannedCount":0}')
        return await self._partial(request)

    async def _partial(self, request: Request) -> Response:
        """Do the first piece of work of a batch, and say that the rest is left."""
        asked = json.loads(request.body or b"{}")["RequestItems"]
        ((table, work),) = asked.items()
        first, rest = (work[:1], work[1:]) if isinstance(work, list) else _split_reads(work)
        body = json.dumps({"RequestItems": {table: first}}).encode()
        answer = await self._send(Request(request.method, request.url, request.headers, body))
        left = "UnprocessedItems" if isinstance(work, list) else "UnprocessedKeys"
        is_rest = bool(rest if isinstance(rest, list) else rest["Keys"])
        return Response(200, json.dumps(json.loads(answer.body) | {left: {table: rest} if is_rest else {}}).encode())


def _split_reads(work: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    return work | {"Keys": work["Keys"][:1]}, work | {"Keys": work["Keys"][1:]}
