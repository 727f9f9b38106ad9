"""The function's own command, several times over one table: as many processes as Lambda runs at one moment."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from typing import NamedTuple

import aiohttp
from aws.home import ParameterStore
from aws.in_process import settings_of, surroundings_of
from aws.role import Busy
from dynamodb_local import shared_server
from ministack_server import free_port
from openai_like.server import OpenAiLike
from openai_like.wording import KEY
from upstream import FakeUpstream

from daehwa.accounts.people_ports import PeopleStores
from daehwa.stores.dynamodb import DynamoStore
from daehwa.stores.dynamodb_people import dynamo_people

START_SECONDS = 60


class Fleet(NamedTuple):
    """Processes over one table. `store` and `people` are the test's own way to it, `role` is theirs, `clients` one for
    each process.
    """

    store: DynamoStore
    people: PeopleStores
    role: Busy
    upstream: OpenAiLike
    clients: list[aiohttp.ClientSession]
    processes: list[asyncio.subprocess.Process]


@contextlib.asynccontextmanager
async def a_fleet(count: int, **told: str) -> AsyncIterator[Fleet]:
    """Run so many, before an upstream like OpenAI's. Nothing of what the role does not grant may be asked."""
    dynamodb, parameters = shared_server(), ParameterStore()
    name, parameters.key = await dynamodb.new_table(), KEY
    store = DynamoStore(dynamodb.connect(name))
    async with contextlib.AsyncExitStack() as until:
        until.push_async_callback(store.aclose)
        role = await until.enter_async_context(Busy(dynamodb.endpoint, name))
        kept = await until.enter_async_context(FakeUpstream(parameters))
        upstream = await until.enter_async_context(OpenAiLike())
        environment = {
            "PATH": os.environ["PATH"],
            **surroundings_of(role.endpoint, kept.port),
            **settings_of(name, upstream),
            **told,
        }
        clients, processes = list[aiohttp.ClientSession](), list[asyncio.subprocess.Process]()
        for _ in range(count):
            process, client = await until.enter_async_context(_running(environment))
            processes.append(process)
            clients.append(client)
        yield Fleet(store, dynamo_people(store.table), role, upstream, clients, processes)
        assert role.refused == []


@contextlib.asynccontextmanager
async def _running(
    environment: dict[str, str],
) -> AsyncIterator[tuple[asyncio.subprocess.Process, aiohttp.ClientSession]]:
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "daehwa.aws.function"),
        env=environment | {"AWS_LWA_PORT": str(port)},
        stderr=asyncio.subprocess.DEVNULL,
    )
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", connector=connector) as client:
        try:
            async with asyncio.timeout(START_SECONDS):
                while not await _listens(client):
                    assert process.returncode is None, "the function ended by itself"
                    await asyncio.sleep(0.1)
            yield process, client
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


async def _listens(client: aiohttp.ClientSession) -> bool:
    try:
        async with client.get("/healthz") as answer:
            return answer.status == 200
    except aiohttp.ClientConnectionError:
        return False
