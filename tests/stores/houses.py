"""All stores of one home in one value, and what looks for bytes wherever it keeps them: for tests of deletion."""

import contextlib
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from dynamodb_local import shared_server

from daehwa.accounts.erasure import Erasure
from daehwa.accounts.people_ports import PeopleStores
from daehwa.accounts.ports import KeyStore, LedgerStore
from daehwa.conversation.archive_ports import KeptConversations
from daehwa.gateway.ports import AnswerStore
from daehwa.stores import dynamodb_table as names
from daehwa.stores.dynamodb import DynamoStore
from daehwa.stores.dynamodb_answers import DynamoAnswers
from daehwa.stores.dynamodb_client import DynamoTable
from daehwa.stores.dynamodb_keys import DynamoKeys
from daehwa.stores.dynamodb_ledger import DynamoLedger
from daehwa.stores.dynamodb_people import dynamo_people
from daehwa.stores.memory import MemoryStore
from daehwa.stores.memory_answers import MemoryAnswers
from daehwa.stores.memory_keys import MemoryKeys
from daehwa.stores.memory_ledger import MemoryLedger
from daehwa.stores.memory_people import memory_people
from daehwa.stores.sqlite import SqliteStore
from daehwa.stores.sqlite_answers import SqliteAnswers
from daehwa.stores.sqlite_keys import SqliteKeys
from daehwa.stores.sqlite_ledger import SqliteLedger
from daehwa.stores.sqlite_people import sqlite_people


class House(NamedTuple):
    """All stores of one home, and what looks for bytes wherever it keeps them."""

    people: PeopleStores
    store: KeptConversations
    keys: KeyStore
    answers: AnswerStore
    ledger: LedgerStore
    holds: Callable[[str], Awaitable[bool]]
    leftovers: Callable[[str], Awaitable[list[str]]]

    @property
    def erasure(self) -> Erasure:
        return Erasure(self.people, [self.store, self.keys, self.answers, self.ledger])


Opener: TypeAlias = Callable[[Path], AbstractAsyncContextManager[House]]


async def nowhere(_text: str) -> bool:
    return False


async def nothing(_user: str) -> list[str]:
    return []


@contextlib.asynccontextmanager
async def open_memory(_folder: Path) -> AsyncIterator[House]:
    yield House(memory_people(), MemoryStore(), MemoryKeys(), MemoryAnswers(), MemoryLedger(), nowhere, nothing)


@contextlib.asynccontextmanager
async def open_sqlite(folder: Path) -> AsyncIterator[House]:
    store = await SqliteStore.open(folder / "daehwa.db")

    async def holds(text: str) -> bool:
        return any(text.encode() in path.read_bytes() for path in folder.iterdir())  # noqa: ASYNC240 - small files

    async def leftovers(user: str) -> list[str]:
        with contextlib.closing(sqlite3.connect(store.path)) as database:
            tables = [row[0] for row in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
            readable = [table for table in tables if table not in {"message_index", "title_index"}]
            rows = {table: database.execute(f"SELECT * FROM {table}").fetchall() for table in readable}  # noqa: S608 - ours
        return [table for table, found in rows.items() if user in repr(found)]

    stores = SqliteKeys(store), SqliteAnswers(store), SqliteLedger(store)
    yield House(sqlite_people(store, first_admin="owner"), store, *stores, holds, leftovers)
    await store.aclose()


def bytes_in(value: Any) -> Iterator[bytes]:
    """Yield all texts and bytes of a value, however deep."""
    if isinstance(value, str | bytes):
        yield value.encode() if isinstance(value, str) else value
    elif isinstance(value, dict):
        yield from bytes_in(list(value.items()))
    elif isinstance(value, list | tuple | set):
        yield from (text for inner in value for text in bytes_in(inner))


def house_in(table: DynamoTable) -> House:
    """Return all stores in a table."""

    async def items() -> list[dict[str, Any]]:
        return [item async for item in table._client.scan(table.name, consistent_read=True)]

    async def holds(text: str) -> bool:
        return text.encode() in b" ".join(bytes_in(await items()))

    async def leftovers(user: str) -> list[str]:
        wanted = user.encode()
        return [item[names.PARTITION_KEY][0] for item in await items() if wanted in b" ".join(bytes_in(item))]

    stores = DynamoKeys(table), DynamoAnswers(table), DynamoLedger(table)
    return House(dynamo_people(table), DynamoStore(table), *stores, holds, leftovers)


@contextlib.asynccontextmanager
async def open_dynamodb(_folder: Path) -> AsyncIterator[House]:
    server = shared_server()
    table = server.connect(await server.new_table())
    yield house_in(table)
    await table.aclose()


HOUSES: dict[str, Opener] = {"memory": open_memory, "sqlite": open_sqlite, "dynamodb": open_dynamodb}
