"""Deletions of the AWS home that are cut off, as Lambda does at the end of a function's time: at any write of theirs,
of several side by side also one alone. Whoever goes on with them later leaves nothing behind.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from aiodynamo.http.types import Request, Response
from dynamodb_local import DynamoServer, shared_server
from stores.asking import an_image, ask
from stores.faulty_transport import FaultyTransport
from stores.houses import bytes_in, house_in
from stores.test_contract_erasure import NOW, a_person, lives

from daehwa.accounts.credentials import Passkey
from daehwa.accounts.people import User
from daehwa.conversation.archive_ports import ConversationRecord
from daehwa.conversation.ids import new_id, now_ms
from daehwa.http_client.client import HttpClient
from daehwa.stores import dynamodb_table as names
from daehwa.stores.dynamodb import DynamoStore
from daehwa.stores.dynamodb_client import DynamoTable, Transport, gathered
from daehwa.stores.dynamodb_images import PIECE_BYTES
from daehwa.stores.dynamodb_people_items import user_item
from daehwa.stores.memory import MemoryStore

ME = "me"
LAST_SECONDS = 0.1
"""For so long what was sent beside the write that is lost still arrives."""
TURNS = 30
"""Messages of more than one batch of writes, and so are the pieces of images among them."""
PASSKEYS = 30
PEOPLE = 100
CUTS = (*range(26), 1_000)
"""Writes of a person's deletion: nearly all, and one that there is not."""
_READS = frozenset({"GetItem", "BatchGetItem", "Query"})


class LosesOne:
    """Sends requests, but not the write of one number, which no answer ever comes to."""

    def __init__(self, send: Callable[[Request], Awaitable[Response]], number: int) -> None:
        self.reached = asyncio.Event()
        self._send = send
        self._left = number

    async def __call__(self, request: Request) -> Response:
        if (request.headers or {})["X-Amz-Target"].rpartition(".")[2] not in _READS:
            self._left -= 1
            if self._left == -1:
                self.reached.set()
                await asyncio.Event().wait()
        return await self._send(request)


class Process:
    """One that is killed at its write of this number."""

    def __init__(self, server: DynamoServer, table: str, number: int) -> None:
        self._http = HttpClient()
        self._way = LosesOne(Transport(self._http), number)
        self.table: DynamoTable = server.connect(table, self._way)

    async def is_killed(self, work: Coroutine[Any, Any, object]) -> bool:
        """Do some work; return whether it was cut off."""
        doing = asyncio.ensure_future(work)
        reaching = asyncio.create_task(self._way.reached.wait())
        await asyncio.wait([doing, reaching], return_when=asyncio.FIRST_COMPLETED)
        reaching.cancel()
        if doing.done():
            await doing
        else:
            await asyncio.sleep(LAST_SECONDS)
            doing.cancel()
            await asyncio.gather(doing, return_exceptions=True)
        await self._http.aclose()
        return self._way.reached.is_set()


async def everything(table: DynamoTable) -> list[dict[str, Any]]:
    return [item async for item in table._client.scan(table.name, consistent_read=True)]


async def a_long_conversation() -> ConversationRecord:
    store = MemoryStore()
    begun = await ask(store, "question 0", "answer", owner=ME, shows=[an_image(PIECE_BYTES * 5), an_image()])
    for number in range(1, TURNS):
        goes_on = {"conversation": begun.conversation.id, "parent": begun.reply.id, "owner": ME}
        begun = await ask(store, f"question {number}", "answer", **goes_on)
    (record,) = [record async for record in store.export_conversations()]
    return record


async def test_a_removal_that_is_cut_off_anywhere_is_gone_on_with_to_its_end() -> None:
    server, record = shared_server(), await a_long_conversation()
    name, cut, left = await server.new_table(), 0, dict[int, list[str]]()
    while True:
        store = DynamoStore(server.connect(name))
        await store.import_conversation(record)
        await store.delete_conversation(ME, record.conversation.id)
        process = Process(server, name, cut)
        was_killed = await process.is_killed(DynamoStore(process.table).purge_deleted(before=now_ms() + 1000))
        await store.purge_deleted(before=now_ms() + 1000)
        if found := await everything(store.table):
            left[cut] = [item[names.PARTITION_KEY] for item in found]
            keys = [(item[names.PARTITION_KEY], item[names.SORT_KEY]) for item in found]
            await store.table.write_many(deletes=keys)
        await store.aclose()
        if not was_killed:
            break
        cut += 1
    assert not left
    assert cut > 4, "it was cut off somewhere"


async def test_a_persons_deletion_that_is_cut_off_anywhere_is_gone_on_with_to_its_end() -> None:
    server = shared_server()
    name = await server.new_table()
    table = server.connect(name)
    house = house_in(table)
    await a_person(house, "root", "")
    people = [await a_person(house, f"mina{cut}", "canary") for cut in CUTS]
    for user in people:
        await lives(house, user, f"{user.login} ")
        await gathered(house.people.credentials.add_passkey(a_passkey(user.id)) for _ in range(PASSKEYS))
    processes = [Process(server, name, cut) for cut in CUTS]
    killed = await gathered(
        process.is_killed(house_in(process.table).erasure.erase(user.id))
        for process, user in zip(processes, people, strict=True)
    )
    assert all(killed[:20])
    assert not killed[-1]
    await gathered(house.erasure.erase(user.id) for user in people)
    left = {
        cut: places
        for cut, user in zip(CUTS, people, strict=True)
        if (places := [item[names.PARTITION_KEY] for item in await everything(table) if is_of(item, user.id)])
    }
    assert not left
    await table.aclose()


async def test_something_is_removed_however_many_people_there_are() -> None:
    server, http = shared_server(), HttpClient()
    way = FaultyTransport(Transport(http))
    table = server.connect(await server.new_table(), way)
    store = DynamoStore(table)
    people = [User(id=new_id(), issuer="i", subject=f"{number}", created=number) for number in range(PEOPLE)]
    await table.write_many(puts=[user_item(user) for user in people])
    for user in (people[0], people[-1]):
        await ask(store, "old", owner=user.id, at=NOW)
    way.sent.clear()
    assert await store.purge_untouched(before=NOW + 1) == 2
    actions = [action for action, _ in way.sent]
    assert actions.count("Query") > PEOPLE * 4
    assert actions.index("UpdateItem") < PEOPLE, "not all people are asked for before the first is removed"
    await table.aclose()
    await http.aclose()


def a_passkey(user: str) -> Passkey:
    return Passkey(id=new_id(), user=user, public_key=b"", sign_count=0, name="", created=NOW)


def is_of(item: dict[str, Any], user: str) -> bool:
    """Whether an item names somebody, beside the audit log, sums, and the note of who is to be swept."""
    return user.encode() in b" ".join(bytes_in(item)) and item[names.PARTITION_KEY][0] not in "JEBV"
