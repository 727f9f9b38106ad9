"""Where everything beside conversations can be kept: for each place, stores over the same file or table."""

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import NamedTuple, Protocol, TypeAlias

from dynamodb_local import shared_server

from daehwa.accounts.ports import KeyStore, LedgerStore, RateStore
from daehwa.gateway.ports import AnswerStore
from daehwa.stores.dynamodb_answers import DynamoAnswers
from daehwa.stores.dynamodb_keys import DynamoKeys
from daehwa.stores.dynamodb_ledger import DynamoLedger
from daehwa.stores.dynamodb_rates import DynamoRates
from daehwa.stores.memory_answers import MemoryAnswers
from daehwa.stores.memory_keys import MemoryKeys
from daehwa.stores.memory_ledger import MemoryLedger
from daehwa.stores.memory_rates import MemoryRates
from daehwa.stores.sqlite import SqliteStore
from daehwa.stores.sqlite_answers import SqliteAnswers
from daehwa.stores.sqlite_keys import SqliteKeys
from daehwa.stores.sqlite_ledger import SqliteLedger


class Stores(NamedTuple):
    """The stores of one process."""

    ledger: LedgerStore
    keys: KeyStore
    rates: RateStore
    answers: AnswerStore


class Place(Protocol):
    """A file or a table."""

    async def process(self) -> Stores:
        """Return stores as a further process has them; those before it are still there, as after a crash."""
        ...


Opener: TypeAlias = Callable[[Path], AbstractAsyncContextManager[Place]]


class MemoryPlace:
    def __init__(self) -> None:
        self._stores = Stores(MemoryLedger(), MemoryKeys(), MemoryRates(), MemoryAnswers())

    async def process(self) -> Stores:
        return self._stores


class SqlitePlace:
    def __init__(self, path: Path, until: contextlib.AsyncExitStack) -> None:
        self.path = path
        self._until = until
        self._rates = MemoryRates()

    async def process(self) -> Stores:
        store = await SqliteStore.open(self.path)
        self._until.push_async_callback(store.aclose)
        return Stores(SqliteLedger(store), SqliteKeys(store), self._rates, SqliteAnswers(store))


class DynamoPlace:
    def __init__(self, table: str, until: contextlib.AsyncExitStack) -> None:
        self._table = table
        self._until = until

    async def process(self) -> Stores:
        table = shared_server().connect(self._table)
        self._until.push_async_callback(table.aclose)
        return Stores(DynamoLedger(table), DynamoKeys(table), DynamoRates(table), DynamoAnswers(table))


@contextlib.asynccontextmanager
async def open_memory(_folder: Path) -> AsyncIterator[Place]:
    yield MemoryPlace()


@contextlib.asynccontextmanager
async def open_sqlite(folder: Path) -> AsyncIterator[Place]:
    async with contextlib.AsyncExitStack() as until:
        yield SqlitePlace(folder / "daehwa.db", until)


@contextlib.asynccontextmanager
async def open_dynamodb(_folder: Path) -> AsyncIterator[Place]:
    async with contextlib.AsyncExitStack() as until:
        yield DynamoPlace(await shared_server().new_table(), until)


PLACES: dict[str, Opener] = {"memory": open_memory, "sqlite": open_sqlite, "dynamodb": open_dynamodb}
