"""What DynamoDB has done although nobody was told: a claim, an event, a key that is in no list yet."""

import asyncio

import msgspec
import pytest
from stores.dynamo_bed import Bed
from tills import Till, a_call, a_rule

from daehwa.accounts.audit import NewEvent
from daehwa.accounts.ledger import Entry
from daehwa.accounts.minting import mint_key
from daehwa.accounts.ports import Budget
from daehwa.conversation.errors import StoreError
from daehwa.conversation.ids import new_id
from daehwa.conversation.messages import Usage
from daehwa.gateway.ports import KeptAnswer
from daehwa.stores import dynamodb_table as names
from daehwa.stores.dynamodb_answers import DynamoAnswers
from daehwa.stores.dynamodb_audit import DynamoAudit
from daehwa.stores.dynamodb_keys import DynamoKeys
from daehwa.stores.dynamodb_ledger import DynamoLedger


async def test_a_claim_whose_answer_is_lost_is_ones_own(bed: Bed) -> None:
    store, sent = bed.open()
    answers, others = DynamoAnswers(store.table), DynamoAnswers(bed.open()[0].table)
    sent.fail("PutItem", "lost answer", "lost answer")
    assert await answers.claim("mina", "key", "f", now=1000) == "new"
    assert await answers.claim("mina", "key", "f", now=1000) == "running", "another request of the same process"
    assert await others.claim("mina", "key", "f", now=1000) == "running"
    answer = KeptAnswer(status=200, headers=(), body=b"yes")
    await answers.keep("mina", "key", answer, began=1000, now=1000)
    assert await others.claim("mina", "key", "f", now=1000) == answer


async def test_an_event_whose_answer_is_lost_is_written_down_once(bed: Bed) -> None:
    store, sent = bed.open()
    audit = DynamoAudit(store.table)
    told = NewEvent(at=1000, action="key.made", subject="mina")
    for _ in range(2):
        sent.fail("PutItem", "lost answer")
        await audit.append(told)
    sent.fail("PutItem", "lost answer")
    once = NewEvent(at=1000, action="account.deleted", subject="mina")
    assert await audit.append_once(once), "it was written by whoever asked"
    assert not await audit.append_once(once)
    assert [event.action for event in await audit.page()] == ["account.deleted", "key.made", "key.made"]
    assert (await audit.check()).ok


async def test_a_counter_that_has_begun_since_a_late_answer_is_known(bed: Bed) -> None:
    """Two calls begin a day at once: what the slower one has read is older than what the quicker one has written."""
    store, sent = bed.open()
    ledger, day = DynamoLedger(store.table), "2026-11-22"
    budget = Budget(scope="user:mina", period=day, limit=100)
    first, second, third = (
        Entry(id=new_id(), created=1_795_305_600_000, user="mina", kind="chat", model="test/parrot", reserved=reserved)
        for reserved in (1, 2, 0)
    )
    sent.hold("BatchGetItem")
    slow = asyncio.create_task(ledger.reserve(first, [budget]))
    await sent.fetched.wait()
    await ledger.reserve(second, [budget])
    sent.released.set()
    await slow
    await ledger.settle(msgspec.structs.replace(third, usage=Usage(cost=4)))
    assert await ledger.spent("user:mina", day) == 7


async def test_keys_that_are_in_no_list_yet_are_forgotten_too(bed: Bed) -> None:
    store, sent = bed.open()
    keys = DynamoKeys(store.table)
    made = [mint_key(user, "key", now=1000)[0] for user in ("mina", "mina", "jun")]
    for key in made:
        await keys.add_key(key)
    sent.fail("Query", "behind")
    await keys.forget("mina")
    left = [item async for item in store.table._client.scan(bed.name)]
    assert {item[names.PARTITION_KEY] for item in left if item[names.PARTITION_KEY][0] in "KP"} == {
        names.key_partition(made[2].digest),
        names.key_place_partition(made[2].id),
    }


async def test_keys_whose_forgetting_was_broken_off_leave_nothing(bed: Bed) -> None:
    store, sent = bed.open(retry_seconds=0.0)
    keys = DynamoKeys(store.table)
    await keys.add_key(mint_key("mina", "key", now=1000)[0])
    sent.fail("BatchWriteItem", "lost answer")
    with pytest.raises(StoreError):
        await keys.forget("mina")
    await keys.forget("mina")
    left = [item async for item in store.table._client.scan(bed.name)]
    assert not [item for item in left if item[names.PARTITION_KEY][0] in "KP"]


async def test_a_reservation_that_nobody_was_told_of_holds_no_money(bed: Bed) -> None:
    store, sent = bed.open(retry_seconds=0.2)
    ledger = DynamoLedger(store.table)
    till = Till(a_rule("user", 10**6, "total"), ledger=ledger)
    await ledger.begin([Budget(scope="user:mina", period="total", limit=10**6)])
    sent.fail("TransactWriteItems", "lost answer")
    for _ in range(100):
        sent.fail("TransactWriteItems", "no answer")
    with pytest.raises(StoreError):
        await till.meter.open(a_call())
    assert await till.spent(period="total") > 0, "it is stored, and nobody knows"
    sent.recover()
    await till.meter.aclose()
    assert await till.spent(period="total") == 0
