"""A proxy before DynamoDB that throttles, breaks off, is late, does half of a batch: what was acknowledged is there."""

import asyncio
import json
import random
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, TypeAlias

from aiohttp import web
from dynamodb_local import CREDENTIALS, REGION, shared_server
from dynamodb_proxy import KIND, DynamoProxy
from faults.findings import Findings, Note, Size
from stores.asking import ME, ended, grown, make_turn

from daehwa.conversation.errors import StoreError
from daehwa.conversation.ports import BegunTurn
from daehwa.stores.dynamodb import DynamoStore
from daehwa.stores.dynamodb_client import DynamoTable

Trouble: TypeAlias = Literal["throttled", "500", "503", "conflict", "broken off", "answer lost", "late", "half"]
TROUBLES: tuple[Trouble, ...] = ("throttled", "500", "503", "conflict", "broken off", "answer lost", "late", "half")
_REFUSALS: dict[Trouble, tuple[int, str]] = {
    "throttled": (400, "ProvisionedThroughputExceededException"),
    "500": (500, "InternalServerError"),
    "503": (503, "ServiceUnavailable"),
    "conflict": (400, "TransactionConflictException"),
}
AT_ONCE = 20
ANSWER = " ".join(f"word{n}" for n in range(200))


class SpoilingProxy(DynamoProxy):
    """Hands requests on to a DynamoDB, and spoils some: one of so many as `share` says."""

    def __init__(self, endpoint: str, share: float) -> None:
        super().__init__(endpoint)
        self.share = share
        self.spoilt: Counter[str] = Counter()
        self._chance = random.Random(7)  # noqa: S311 - any request will do

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Spoil it or hand it on."""
        body = await request.read()
        if self._chance.random() >= self.share:
            return await self.handed_on(request, body)
        trouble = self._chance.choice(TROUBLES)
        self.spoilt[trouble] += 1
        return await self._spoilt(trouble, request, body)

    async def _spoilt(self, trouble: Trouble, request: web.Request, body: bytes) -> web.StreamResponse:
        if trouble in _REFUSALS:
            status, name = _REFUSALS[trouble]
            text = json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{name}", "message": "No."})
            return web.Response(status=status, text=text, content_type=KIND)
        if trouble == "late":
            await asyncio.sleep(1.5)
        if trouble == "half":
            return await self._half(request, body)
        if trouble == "answer lost":
            await self.handed_on(request, body)
        if trouble in {"answer lost", "broken off"} and request.transport is not None:
            request.transport.abort()
        return await self.handed_on(request, body) if trouble == "late" else web.Response()

    async def _half(self, request: web.Request, body: bytes) -> web.Response:
        """Do the first half of a batch; all of what is no batch."""
        asked: dict[str, Any] = json.loads(body)
        left = {"BatchWriteItem": "UnprocessedItems", "BatchGetItem": "UnprocessedKeys"}
        name = left.get(request.headers.get("X-Amz-Target", "").rpartition(".")[2])
        if name is None:
            return await self.handed_on(request, body)
        ((table, work),) = asked["RequestItems"].items()
        items = work if isinstance(work, list) else work["Keys"]
        done, rest = items[: len(items) // 2 + 1], items[len(items) // 2 + 1 :]
        asked["RequestItems"] = {table: done if isinstance(work, list) else {**work, "Keys": done}}
        answer = await self.handed_on(request, json.dumps(asked).encode())
        said = json.loads(answer.body or b"{}")  # type: ignore[arg-type] # bytes, as it was made below
        said[name] = {table: rest if isinstance(work, list) else {**work, "Keys": rest}} if rest else {}
        return web.Response(status=answer.status, body=json.dumps(said).encode())


class Trial:
    """Turns through a proxy; what was acknowledged is compared with what the table holds."""

    def __init__(self, stores: list[DynamoStore]) -> None:
        self.stores = stores
        self.refused: Counter[str] = Counter()
        self.begun: list[BegunTurn] = []
        self.checkpointed: dict[str, str] = {}
        self.finished: set[str] = set()

    async def turn(self, number: int) -> None:
        """Ask, grow, end: by one store or another, as on Lambda, and each step thrice at most."""
        asked = make_turn(f"question {number} " + "long " * (40_000 if number % 20 == 1 else 5))
        for attempt in range(3):
            store = self.stores[(number + attempt) % len(self.stores)]
            try:
                begun = await store.begin_turn(asked)
            except StoreError as error:
                self.refused[error.message] += 1
            else:
                self.begun.append(begun)
                await self._grow(store, begun)
                return

    async def _grow(self, store: DynamoStore, begun: BegunTurn) -> None:
        reply = begun.reply
        for length in (100, 500, 1000):
            try:
                await store.save_checkpoints([grown(reply, ANSWER[:length])])
            except StoreError as error:
                self.refused[error.message] += 1
            else:
                self.checkpointed[reply.id] = ANSWER[:length]
        for _ in range(3):
            with suppress(StoreError):
                await store.finish_reply(ended(reply, ANSWER))
                self.finished.add(reply.id)
                return

    async def wrong(self, store: DynamoStore) -> list[str]:
        """Return what is not as it was acknowledged."""
        found = []
        for begun in self.begun:
            _, messages = await store.get_conversation(ME, begun.conversation.id)
            if [message.id for message in messages] != [begun.path[-1].id, begun.reply.id]:
                found.append(f"{begun.reply.id}: {len(messages)} messages")
                continue
            question, reply = messages
            least = ANSWER if reply.id in self.finished else self.checkpointed.get(reply.id, "")
            is_right = question.text == begun.path[-1].text and ANSWER.startswith(reply.text)
            if not is_right or len(reply.text) < len(least):
                found.append(f"{reply.id}: {len(reply.text)} letters where {len(least)} were acknowledged")
            if reply.id in self.finished and reply.status != "complete":
                found.append(f"{reply.id}: ended, and stored as {reply.status}")
        return found


async def run(size: Size, folder: Path, note: Note) -> Findings:
    """Ask many turns through trouble, with bounded patience; then look without any."""
    del folder
    found, server = Findings("dynamodb"), shared_server()
    name = await server.new_table()
    async with SpoilingProxy(server.endpoint, share=0.15) as proxy:
        stores = [DynamoStore(_through(proxy, name)) for _ in range(3)]
        trial, turns = Trial(stores), asyncio.Semaphore(AT_ONCE)

        async def one(number: int) -> None:
            async with turns:
                await trial.turn(number)

        await asyncio.gather(*map(one, range(size.of(15, 1000))))
        note(f"{len(trial.begun)} turns through {sum(proxy.spoilt.values())} spoilt requests")
        proxy.share = 0.0
        plain = DynamoStore(server.connect(name))
        wrong = await trial.wrong(plain)
        for store in (*stores, plain):
            await store.aclose()
    for sentence in wrong:
        found.blame(sentence)
    found.add("DynamoDB", server.choice)
    found.add("requests spoilt", ", ".join(f"{kind} {number:,}" for kind, number in sorted(proxy.spoilt.items())))
    found.add("turns acknowledged, ends acknowledged", f"{len(trial.begun):,}, {len(trial.finished):,}")
    found.add("refused in a sentence", sum(trial.refused.values()))
    found.count("not as it was acknowledged", len(wrong))
    return found


def _through(proxy: SpoilingProxy, table: str) -> DynamoTable:
    return DynamoTable.connect(
        table=table,
        region=REGION,
        endpoint=proxy.endpoint,
        credentials=CREDENTIALS,
        retry_seconds=3.0,
    )
