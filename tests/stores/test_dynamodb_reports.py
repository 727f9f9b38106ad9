"""Reports of many calls in the table, by functions that have little memory."""

import tracemalloc

import msgspec
from stores.dynamo_bed import Bed

from daehwa.accounts.ledger import Entry, UsageQuery
from daehwa.accounts.ports import Budget
from daehwa.conversation.ids import new_id
from daehwa.conversation.messages import Usage
from daehwa.stores.dynamodb_ledger import DynamoLedger, _item

NOW = 1_795_305_600_000
DAY_MS = 24 * 60 * 60 * 1000
DAYS, CALLS = 96, 4_800


async def test_a_report_of_many_days_holds_a_few_of_them_at_once(bed: Bed) -> None:
    store, sent = bed.open()
    await store.table.write_many(puts=[_item(_a_call(NOW - number % DAYS * DAY_MS)) for number in range(CALLS)])
    tracemalloc.start()
    rows = await DynamoLedger(store.table).usage(UsageQuery(since=NOW - DAYS * DAY_MS, until=NOW + DAY_MS))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [row.day for row in rows] == sorted({row.day for row in rows})
    assert (len(rows), sum(row.calls for row in rows), sum(row.cost for row in rows)) == (DAYS, CALLS, 7 * CALLS)
    assert most < CALLS * 500, "all of them take about a kilobyte each"
    assert sent.most_at_once["Query"] <= 8


def _a_call(at: int, *, user: str = "mina", key: str | None = None) -> Entry:
    usage = Usage(input=900, output=400, cost=7)
    return Entry(id=new_id(), created=at, user=user, key=key, kind="turn", model="m", usage=usage)


async def test_a_keys_first_call_reads_what_its_owner_has_spent_alone(bed: Bed) -> None:
    store, sent = bed.open()
    ledger, day = DynamoLedger(store.table), "2026-11-22"
    earlier = _a_call(NOW, key="old")
    for call in (earlier, _a_call(NOW, user="jun", key="juns")):
        await ledger.settle(call)
    sent.sent.clear()
    call = msgspec.structs.replace(_a_call(NOW, key="old"), usage=None, reserved=5)
    await ledger.reserve(call, [Budget(scope="key:old", period=day, limit=20)])
    assert await ledger.spent("key:old", day) == 7 + 5
    asked = [msgspec.json.encode(body) for action, body in sent.sent if action == "Query"]
    assert asked
    assert all(b'"mina#"' in query for query in asked)
