"""One fixture, every store: a further one joins the contract by one line in `STORES`."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

import pytest
from dynamodb_local import drop_tables, shared_server
from stores.dynamo_bed import Bed

from daehwa.conversation.ports import ConversationStore
from daehwa.stores.dynamodb import DynamoStore
from daehwa.stores.memory import MemoryStore
from daehwa.stores.sqlite import SqliteStore

Opener: TypeAlias = Callable[[Path], Awaitable[ConversationStore]]


async def open_memory(_folder: Path) -> ConversationStore:
    return MemoryStore()


async def open_sqlite(folder: Path) -> ConversationStore:
    return await SqliteStore.open(folder / "daehwa.db")


async def open_dynamodb(_folder: Path) -> ConversationStore:
    """Open a store in a table of its own."""
    server = shared_server()
    return DynamoStore(server.connect(await server.new_table()))


STORES: dict[str, Opener] = {"memory": open_memory, "sqlite": open_sqlite, "dynamodb": open_dynamodb}


@pytest.fixture
async def bed() -> AsyncIterator[Bed]:
    made = Bed(await shared_server().new_table())
    yield made
    await made.aclose()


@pytest.fixture(autouse=True)
async def no_table_is_left() -> AsyncIterator[None]:
    yield
    await drop_tables()


@pytest.fixture(params=list(STORES))
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ConversationStore]:
    opened = await STORES[request.param](tmp_path)
    yield opened
    await opened.aclose()


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = await SqliteStore.open(tmp_path / "daehwa.db")
    yield opened
    await opened.aclose()
