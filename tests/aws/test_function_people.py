"""Administration in the home on AWS as it is wired: people come by their provider, everything is in one table."""

from collections.abc import AsyncIterator

import pytest
from aws.in_process import Function, a_function
from server.serving import asked
from upstream import FakeUpstream

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
