"""Somebody is deleted by one function while another one has let them in already, and stores what they ask."""

import asyncio

from aws.in_process import Function, a_function, another_beside
from server.serving import asked
from upstream import FakeUpstream

from daehwa.conversation.ids import now_ms
from daehwa.services.hourly import LONGEST_CALL_MS
from daehwa.stores import dynamodb_table as names

CANARY = "zanzibarcanary"
HOUR = {"x-amzn-request-context": "null"}
"""What the adapter says with the event of each hour."""


async def test_what_another_function_stores_late_of_somebody_who_is_gone_goes_with_the_next_hour() -> None:
    async with (
        FakeUpstream() as upstream,
        a_function(upstream, DAEHWA_MODELS="small") as here,
        another_beside(here, upstream, DAEHWA_MODELS="small") as there,
    ):
        boss, (mina, browser) = await here.signed_in("boss"), await here.member("mina")
        there.role.hold("TransactWriteItems")
        asking = asyncio.create_task(there.call(browser, "POST", "/api/turns", asked(CANARY)))
        await there.role.arrived.wait()
        assert (await here.call(boss, "DELETE", f"/api/people/{mina.id}"))[0] == 204
        assert CANARY not in await here.items()
        there.role.released.set()
        await asking
        assert CANARY in await here.items()

        assert (await here.call(HOUR, "POST", "/events", {}))[0] == 204
        assert CANARY in await here.items(), "the other function may be at it still"
        await _is_long_ago(here, mina.id)
        assert (await here.call(HOUR, "POST", "/events", {}))[0] == 204
        assert CANARY not in await here.items()
        left = [item async for item in here.table._client.scan(here.table.name) if mina.id in repr(item)]
        assert {item[names.PARTITION_KEY][0] for item in left} <= {"J", "E", "B"}, "a number that is nobody's"


async def _is_long_ago(function: Function, user: str) -> None:
    note = {names.PARTITION_KEY: names.REMOVED, names.SORT_KEY: user}
    await function.table.put(note | {names.LEAVING: now_ms() - LONGEST_CALL_MS - 1})
