"""What is reserved and settled on the spot: together, with what comes next, and found by whoever asks."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from stores.jotting import transactions

from daehwa.accounts.errors import BudgetExceeded
from daehwa.accounts.ledger import Entry, UsageQuery
from daehwa.accounts.ports import Budget
from daehwa.accounts.spending import period_at
from daehwa.conversation.messages import Usage
from daehwa.stores.sqlite import SqliteStore
from daehwa.stores.sqlite_ledger import SqliteLedger

NOW = 1_795_900_000_000


def spent(id_: str, cost: int) -> Entry:
    usage = Usage(input=1, output=1, cost=cost)
    return Entry(id=id_, created=NOW, user="ann", kind="chat", model="acme/one", reserved=cost, usage=usage)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = await SqliteStore.open(tmp_path / "daehwa.db")
    yield opened
    await opened.aclose()


async def test_a_counter_that_another_process_begins_counts_from_then_on(store: SqliteStore) -> None:
    """Which counters there are is remembered; whoever else writes makes it be looked up again."""
    other = await SqliteStore.open(store.path)
    here, there = SqliteLedger(store), SqliteLedger(other)
    scope, period = "user:ann", period_at("day", NOW)
    try:
        await here.settle(spent("first", 5))
        await there.reserve(spent("second", 7), [Budget(scope=scope, period=period, limit=100)])
        await here.settle(spent("third", 11))
        assert await here.spent(scope, period) == 5 + 7 + 11
        assert await there.spent(scope, period) == 5 + 7 + 11
    finally:
        await other.aclose()


DAY = period_at("day", NOW)


def _nobody_else() -> asyncio.Task[None]:
    pytest.fail("it can be written here")


def opened(id_: str, reserved: int) -> Entry:
    return Entry(id=id_, created=NOW, user="ann", kind="chat", model="acme/one", reserved=reserved)


async def test_whoever_asks_finds_what_was_settled(store: SqliteStore) -> None:
    ledger, budget = SqliteLedger(store), Budget(scope="user:ann", period=DAY, limit=100)
    await ledger.reserve(opened("first", 60), [budget])
    ledger.settle_soon(spent("first", 60), _nobody_else)
    assert await ledger.spent("user:ann", DAY) == 60
    await ledger.reserve(opened("second", 40), [budget])
    ledger.settle_soon(msgspec.structs.replace(spent("second", 5), reserved=40), _nobody_else)
    assert await ledger.counted([budget]) == {budget: 65}
    await ledger.reserve(opened("third", 35), [budget])
    ledger.settle_soon(msgspec.structs.replace(spent("third", 1), reserved=35), _nobody_else)
    (row,) = await ledger.usage(UsageQuery(since=NOW, until=NOW + 1))
    assert (row.calls, row.cost, row.reserved) == (3, 66, 0)


async def test_what_was_settled_makes_room_for_the_next_at_once(store: SqliteStore) -> None:
    """A counter that is still to begin sends the next reservation to the writing thread."""
    ledger, mine = SqliteLedger(store), Budget(scope="user:ann", period=DAY, limit=100)
    await ledger.reserve(opened("first", 100), [mine])
    ledger.settle_soon(msgspec.structs.replace(spent("first", 5), reserved=100), _nobody_else)
    await ledger.reserve(opened("second", 95), [mine, Budget(scope="all", period=DAY, limit=100)])
    assert await ledger.spent("all", DAY) == 100


async def test_whoever_asks_finds_what_was_settled_while_another_wrote(store: SqliteStore) -> None:
    ledger, mine = SqliteLedger(store), Budget(scope="user:ann", period=DAY, limit=100)
    entry = msgspec.structs.replace(spent("first", 5), reserved=100)
    await ledger.reserve(opened("first", 100), [mine])
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        ledger.settle_soon(entry, lambda: asyncio.create_task(ledger.settle(entry)))
        asking = asyncio.create_task(ledger.spent("user:ann", DAY))
        more = asyncio.create_task(ledger.reserve(opened("second", 90), [mine]))
        await asyncio.sleep(0.05)
        other.execute("COMMIT")
    assert await asking in {5, 95}, "the second may be reserved by then; what was reserved for the first is gone"
    await more
    assert await ledger.spent("user:ann", DAY) == 95


async def test_a_call_for_which_nothing_was_reserved_is_written_before_it_is_told(store: SqliteStore) -> None:
    begun = transactions(store)
    SqliteLedger(store).settle_soon(msgspec.structs.replace(spent("first", 5), reserved=0), _nobody_else)
    assert len(begun) == 1


async def test_many_at_once_never_pass_a_limit_together(store: SqliteStore) -> None:
    """Within one transaction too, each sees what those before it have reserved."""
    ledger, budget = SqliteLedger(store), Budget(scope="user:ann", period=DAY, limit=35)
    await ledger.begin([budget])
    begun = transactions(store)
    asked = [ledger.reserve(opened(f"call-{number}", 10), [budget]) for number in range(20)]
    told = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(each) for each in told].count(BudgetExceeded) == 17
    assert await ledger.spent("user:ann", DAY) == 30
    calls = [ledger.reserve(opened(f"other-{number}", 0), [budget]) for number in range(20)]
    begun.clear()
    await asyncio.gather(*calls)
    assert len(begun) == 1


async def test_a_turn_is_reserved_without_waiting_for_others(store: SqliteStore) -> None:
    ledger, budget = SqliteLedger(store), Budget(scope="user:ann", period=DAY, limit=35)
    await ledger.begin([budget])
    turn, other = (msgspec.structs.replace(opened(id_, 20), kind="turn") for id_ in ("turn", "other"))
    with pytest.raises(StopIteration):
        ledger.reserve(turn, [budget]).send(None)
    assert await ledger.spent("user:ann", DAY) == 20
    with pytest.raises(BudgetExceeded):
        await ledger.reserve(other, [budget])
    assert await ledger.spent("user:ann", DAY) == 20


async def test_a_turn_is_reserved_though_another_writes(store: SqliteStore) -> None:
    ledger, budget = SqliteLedger(store), Budget(scope="user:ann", period=DAY, limit=35)
    await ledger.begin([budget])
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        asking = asyncio.create_task(ledger.reserve(msgspec.structs.replace(opened("turn", 20), kind="turn"), [budget]))
        await asyncio.sleep(0.05)
        assert not asking.done()
        other.execute("COMMIT")
    await asking
    assert await ledger.spent("user:ann", DAY) == 20
