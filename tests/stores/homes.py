"""All stores of people, for each home that keeps them: a further one joins the contracts by one line in `HOMES`."""

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TypeAlias

from dynamodb_local import shared_server

from daehwa.accounts.people_ports import PeopleStores
from daehwa.stores.dynamodb_people import dynamo_people
from daehwa.stores.memory_people import memory_people
from daehwa.stores.sqlite import SqliteStore
from daehwa.stores.sqlite_people import sqlite_people

Opener: TypeAlias = Callable[[Path], AbstractAsyncContextManager[PeopleStores]]


@contextlib.asynccontextmanager
async def open_memory(_folder: Path) -> AsyncIterator[PeopleStores]:
    yield memory_people()


@contextlib.asynccontextmanager
async def open_sqlite(folder: Path) -> AsyncIterator[PeopleStores]:
    store = await SqliteStore.open(folder / "daehwa.db")
    try:
        yield sqlite_people(store)
    finally:
        await store.aclose()


@contextlib.asynccontextmanager
async def open_dynamodb(_folder: Path) -> AsyncIterator[PeopleStores]:
    server = shared_server()
    table = server.connect(await server.new_table())
    try:
        yield dynamo_people(table)
    finally:
        await table.aclose()


HOMES: dict[str, Opener] = {"memory": open_memory, "sqlite": open_sqlite, "dynamodb": open_dynamodb}
