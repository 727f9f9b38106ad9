"""Administration in the home on AWS as it is wired: people come by their provider, everything is in one table."""

from collections.abc import AsyncIterator

import pytest
from aws.in_process import Function, a_function
from server.serving import asked
from upstream import FakeUpstream

from daehwa.server.visiting import VIEWER_HEADER

CANARY = "zanzibarcanary"


@pytest.fixture
async def function() -> AsyncIterator[Function]:
    async with FakeUpstream() as upstream, a_function(upstream, DAEHWA_MODELS="large,small") as made:
        yield made


async def test_admins_see_to_people_who_come_by_their_provider(function: Function) -> None:
    boss, mina = await function.signed_in("boss"), await function.signed_in(CANARY)
    call = function.call
    status, listed = await call(boss, "GET", "/api/people")
    assert status == 200
    people = {each["name"]: each for each in listed["people"]}
    assert [(people[name]["role"], people[name]["door"]) for name in ("boss", CANARY)] == [
        *(("admin", "provider"), ("member", "provider")),
    ]
    path = f"/api/people/{people[CANARY]['id']}"
    assert (await call(boss, "POST", "/api/invitations", {}))[1]["error"]["type"] == "accounts_off"
    assert (await call(boss, "POST", f"{path}/reset", {}))[1]["error"]["type"] == "accounts_off"

    group = (await call(boss, "POST", "/api/groups", {"name": "Lab", "models": ["small"]}))[1]
    assert (await call(boss, "PATCH", path, {"groups": [group["id"]]}))[0] == 200
    models = (await call(mina, "GET", "/api/models"))[1]
    assert [model["name"] for model in models["models"]] == ["small"]
    turn = asked(CANARY)
    async with function.client.post("/api/turns", json=turn, headers=mina) as stream:
        assert "event: done" in await stream.text()
    key = (await call(mina, "POST", "/api/keys", {"name": CANARY}))[1]["secret"]
    program = {"authorization": f"Bearer {key}"}
    assert (await call(program, "GET", "/v1/models"))[0] == 200
    assert (await call(boss, "PATCH", path, {"disabled": True}))[0] == 200
    assert (await call(program, "GET", "/v1/models"))[1]["error"]["code"] == "account_disabled"
    assert (await call(mina, "GET", "/api/me"))[0] == 401

    assert CANARY in await function.items(), "what is looked for can be found"
    assert (await call(boss, "DELETE", path))[0] == 204
    assert CANARY not in await function.items()
    assert (await call(program, "GET", "/v1/models"))[1]["error"]["code"] == "key_unknown"
    assert (await call(boss, "GET", "/api/audit/check"))[1]["holds"] is True


async def test_where_somebody_asks_from_is_what_cloudfront_says(function: Function) -> None:
    boss = await function.signed_in("boss")
    for said, known in (("203.0.113.7", "203.0.113.7"), ("2001:db8::1", "2001:db8::1"), ("nowhere", None)):
        headers = boss | {VIEWER_HEADER: said, "x-forwarded-for": "198.51.100.9"}
        assert (await function.call(headers, "POST", "/api/groups", {"name": f"from {said}"}))[0] == 201
        events = (await function.call(headers, "GET", "/api/audit"))[1]["events"]
        assert events[0]["address"] == known
    fresh = await function.signed_in("mina")
    await function.call(fresh | {VIEWER_HEADER: "203.0.113.8"}, "GET", "/api/me")
    sessions = (await function.call(fresh, "GET", "/api/account"))[1]["sessions"]
    assert [session["address"] for session in sessions] == ["203.0.113.8"]
