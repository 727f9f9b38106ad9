"""A DynamoDB to measure on: DynamoDB Local, and a transport that counts the units which every call consumed.

Amazon's own program counts as the service does; it does not check signatures, so the question for the units can be put
into requests that are signed already.
"""

import asyncio
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from aiodynamo.http.types import HttpImplementation, Request, Response

from daehwa.http_client.client import HttpClient
from daehwa.stores.dynamodb_client import DynamoTable, Transport

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from dynamodb_local import CREDENTIALS, REGION, DynamoServer

WRITE_UNIT_DOLLARS, READ_UNIT_DOLLARS = 0.625e-6, 0.125e-6
"""On demand, us-east-1, November 2026."""
_OK = 200
_consumed = re.compile(rb'"ConsumedCapacity":[^}]*?"CapacityUnits":([0-9.]+)')
_TAIL = 2_000
"""Bytes at an answer's end among which the units stand."""
ASSUMED_SECONDS, ASSUMED_SECONDS_A_BYTE = 0.008, 0.06 / 1_000_000
"""A query from a Lambda of the same region: 8 ms, and 60 ms more for each megabyte."""
_WRITES = {"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"}


class Units:
    """What calls consumed: calls, units of writing and reading, and bytes that came back, by action."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.units: defaultdict[str, float] = defaultdict(float)
        self.bytes = 0

    @property
    def written(self) -> float:
        """Write request units."""
        return sum(units for action, units in self.units.items() if action in _WRITES)

    @property
    def read(self) -> float:
        """Read request units."""
        return sum(units for action, units in self.units.items() if action not in _WRITES)

    @property
    def dollars(self) -> float:
        """What they cost."""
        return self.written * WRITE_UNIT_DOLLARS + self.read * READ_UNIT_DOLLARS

    def add(self, other: "Units") -> None:
        """Count what another counted."""
        self.calls.update(other.calls)
        for action, units in other.units.items():
            self.units[action] += units
        self.bytes += other.bytes

    def clear(self) -> None:
        """Begin again."""
        self.calls.clear()
        self.units.clear()
        self.bytes = 0


class CountingTransport:
    """Sends requests with the question for the units, and adds up the answers.

    DynamoDB Local counts too little of a transaction's writes to the table, so these are counted here by the service's
    rule: two units for each begun kilobyte of each item (what is updated in a transaction is smaller than one). The
    index's it counts twice within a transaction; the service counts them once, as others have measured:
    https://github.com/nubo-db/dynoxide/pull/188.
    """

    def __init__(self, http: HttpClient, units: Units) -> None:
        self._transport = Transport(http, seconds=60)
        self._units = units

    async def __call__(self, request: Request) -> Response:
        """Send a request and return the answer, whatever its status."""
        action = (request.headers or {})["X-Amz-Target"].rpartition(".")[2]
        body = msgspec.json.decode(request.body or b"{}")
        body["ReturnConsumedCapacity"] = "INDEXES"
        answer = await self._transport(Request(request.method, request.url, request.headers, msgspec.json.encode(body)))
        self._units.calls[action] += 1
        self._units.bytes += len(answer.body)
        if action == "TransactWriteItems" and answer.status == _OK:
            (consumed,) = msgspec.json.decode(answer.body)["ConsumedCapacity"]
            indexes = consumed.get("GlobalSecondaryIndexes", {}).values()
            self._units.units[action] += sum(index["CapacityUnits"] / 2 for index in indexes)
            self._units.units[action] += sum(map(_transaction_units, body["TransactItems"]))
        elif found := _consumed.search(answer.body, max(0, len(answer.body) - _TAIL)):
            # Found without decoding, which would be counted as work of the search.
            self._units.units[action] += float(found[1])
        return answer


def _transaction_units(operation: Mapping[str, Any]) -> int:
    put = operation.get("Put")
    return 2 if put is None else 2 * -(-_size(put["Item"]) // 1024)


def _size(item: Mapping[str, Mapping[str, Any]]) -> int:
    """Return an item's size as it is charged, near enough: names and values."""
    size = 0
    for name, (kind, value) in ((name, *typed.items()) for name, typed in item.items()):
        size += len(name) + (len(value) * 3 // 4 if kind == "B" else len(str(value).encode()))
    return size


class ReplayingTransport:
    """Answers what was asked before as it was answered then, after the time that the service is assumed to take: so the
    time of a machine's DynamoDB Local does not count, and that of a network does.
    """

    def __init__(self, transport: CountingTransport) -> None:
        self._transport = transport
        self._answers: dict[bytes, Response] = {}
        self.replays = False

    async def __call__(self, request: Request) -> Response:
        """Answer by heart, or ask and remember."""
        asked = request.body or b""
        if not self.replays:
            self._answers[asked] = await self._transport(request)
            return self._answers[asked]
        answer = self._answers[asked]
        await asyncio.sleep(ASSUMED_SECONDS + len(answer.body) * ASSUMED_SECONDS_A_BYTE)
        return answer


def counted_table(server: DynamoServer, name: str, transport: HttpImplementation) -> DynamoTable:
    """Return a table that is asked through a transport."""
    return DynamoTable.connect(
        table=name,
        region=REGION,
        endpoint=server.endpoint,
        http=transport,
        credentials=CREDENTIALS,
        retry_seconds=60,
    )
