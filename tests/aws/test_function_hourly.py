"""Deletions of the function that end with it, and the event of each hour by which they go on."""

import asyncio
import json
import signal

import aiohttp
import pytest
from aws.home import AwsHome
from aws.in_process import Headers, member_of
from aws.processes import Fleet, a_fleet
from lambda_bed.events import event, request
from server.serving import asked
from stores.asking import ask

from daehwa.accounts.people import Profile, UserChanges
from daehwa.conversation.ids import now_ms
from daehwa.services.hourly import LONGEST_CALL_MS
from daehwa.stores import dynamodb_table as names
from daehwa.stores.dynamodb_accounts import DynamoAccounts

CANARY = "zanzibarcanary"
CONVERSATIONS = 40
EVENT = {
    "version": "0",
    "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
    "detail-type": "Scheduled Event",
    "source": "aws.events",
    "account": "123456789012",
    "time": "2026-11-30T00:00:00Z",
    "region": "eu-central-1",
    "resources": ["arn:aws:events:eu-central-1:123456789012:rule/daehwa-ClockRule"],
    "detail": {},
}
"""As EventBridge sends it."""


async def of_canary(fleet: Fleet, user: str) -> int:
    """Return how many items are still somebody's, beside the audit log and sums."""
    table = fleet.store.table
    items = [item async for item in table._client.scan(table.name, consistent_read=True)]
    return sum(
        (user in repr(item) or CANARY in repr(item)) and item[names.PARTITION_KEY][0] not in "JEBV" for item in items
    )


async def an_hour(client: aiohttp.ClientSession) -> int:
    """Let the event come as the adapter hands it on."""
    headers = {"x-amzn-request-context": "null"}
    async with client.post("/events", json=EVENT, headers=headers) as answer:
        return answer.status


async def killed_while_it_deletes(fleet: Fleet, boss: Headers, user: str, whole: int) -> None:
    """Delete somebody, and kill the process in the middle of that."""
    deleting = asyncio.create_task(fleet.clients[0].delete(f"/api/people/{user}", headers=boss))
    async with asyncio.timeout(60):
        while await of_canary(fleet, user) > whole * 2 / 3:
            assert not deleting.done()
            await asyncio.sleep(0.01)
    fleet.processes[0].send_signal(signal.SIGKILL)
    with pytest.raises(aiohttp.ClientError):
        await deleting


async def test_whose_deletion_was_killed_is_gone_after_the_next_hour() -> None:
    async with a_fleet(2, DAEHWA_MODELS="talks") as fleet:
        (_, boss), (mina, browser) = await member_of(fleet.people, "boss"), await member_of(fleet.people, CANARY)
        for number in range(CONVERSATIONS):
            await ask(fleet.store, f"{CANARY} {number}", owner=mina.id)
        whole = await of_canary(fleet, mina.id)
        await killed_while_it_deletes(fleet, boss, mina.id, whole)
        assert 0 < await of_canary(fleet, mina.id) < whole
        async with fleet.clients[1].get("/api/me", headers=browser) as answer:
            assert answer.status == 401, "what is left is nobody's to see"

        assert await an_hour(fleet.clients[1]) == 204
        assert await of_canary(fleet, mina.id) > 0, "another function may be at it still"
        long_ago = now_ms() - LONGEST_CALL_MS - 1
        await fleet.people.accounts.change_user(mina.id, UserChanges(leaving=long_ago))
        assert await an_hour(fleet.clients[1]) == 204
        assert await of_canary(fleet, mina.id) == 0
        assert await fleet.people.accounts.get_user(mina.id) is None


async def test_no_viewer_sends_the_event() -> None:
    async with a_fleet(1) as fleet:
        for context in ("{}", '{"accountId": "123456789012"}'):
            headers = {"x-amzn-request-context": context}
            async with fleet.clients[0].post("/events", json=EVENT, headers=headers) as answer:
                assert answer.status == 404


@pytest.mark.lambda_adapter
@pytest.mark.asyncio(loop_scope="session")
async def test_the_hour_comes_through_the_adapter(home: AwsHome) -> None:
    turn = asked("to be deleted")
    await home.turn(turn)
    path = f"/api/conversations/{turn['conversation']}"
    assert (await home.call("DELETE", path))[0] == 204
    accounts, long_ago = DynamoAccounts(home.store.table), now_ms() - LONGEST_CALL_MS - 1
    leaver = await accounts.sign_in(
        Profile(issuer="https://i", subject="leaver", email=None, name=""), role=None, now=1
    )
    await accounts.change_user(leaver.id, UserChanges(disabled=long_ago, leaving=long_ago))

    viewer = await home.function.invoke(event(request("POST", "/events", EVENT, x_amzn_request_context="null")))
    assert (await viewer.metadata()).status == 404
    assert await accounts.get_user(leaver.id) is not None

    hour = await home.function.invoke(json.dumps(EVENT).encode())
    assert (await hour.metadata()).status == 204
    assert await accounts.get_user(leaver.id) is None
    assert (await home.call("POST", f"{path}/restore"))[0] == 200, "its ten minutes are not over"
