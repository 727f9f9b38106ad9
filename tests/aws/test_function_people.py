"""Administration in the home on AWS as it is wired: people come by their provider, everything is in one table."""

from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import aiohttp
import pytest
from aws.home import COOKIE, KEY_PARAMETER, PUBLIC_URL, SESSION_MS, ParameterStore
from dynamodb_local import REGION, shared_server
from server.serving import asked, listening
from upstream import FakeUpstream

from daehwa.accounts.people import Profile, Session
from daehwa.accounts.people_ports import PeopleStores
from daehwa.conversation.ids import now_ms
from daehwa.services.aws import FunctionServices
from daehwa.settings import load_aws_surroundings, load_settings
from daehwa.sign_in.tokens import digest, new_token
from daehwa.stores.dynamodb_people import dynamo_people

ISSUER = "https://issuer.invalid"
CANARY = "zanzibarcanary"


class Function(NamedTuple):
    """The function's application, served in this process, and its table."""

    services: FunctionServices
    people: PeopleStores
    client: aiohttp.ClientSession

    async def signed_in(self, name: str) -> dict[str, str]:
        """Somebody whom the provider has let in; what their browser sends."""
        profile = Profile(issuer=ISSUER, subject=name, email=f"{name}@example.com", name=name)
        user = await self.people.accounts.sign_in(profile, role=None, now=now_ms())
        token = new_token()
        session = Session(id=digest(token), user=user.id, created=now_ms(), expires=now_ms() + SESSION_MS)
        await self.people.accounts.save_session(session)
        return {"cookie": f"{COOKIE}={token}", "sec-fetch-site": "same-origin"}

    async def call(self, who: dict[str, str], method: str, path: str, body: object = None) -> tuple[int, Any]:
        async with self.client.request(method, path, json=body, headers=who) as answer:
            text = await answer.text()
            is_json = answer.headers.get("content-type") == "application/json"
            return answer.status, await answer.json() if is_json else text

    async def items(self) -> str:
        """Everything that the table holds."""
        table = self.services.store.table
        return repr([item async for item in table._client.scan(table.name, consistent_read=True)])


@pytest.fixture
async def function() -> AsyncIterator[Function]:
    dynamodb = shared_server()
    table = await dynamodb.new_table()
    async with FakeUpstream() as upstream, FakeUpstream(ParameterStore()) as parameters:
        told = {
            "DAEHWA_HOME": "aws",
            "DAEHWA_TABLE": table,
            "DAEHWA_KEY_PARAMETER": KEY_PARAMETER,
            "DAEHWA_PUBLIC_URL": PUBLIC_URL,
            "DAEHWA_BASE_URL": upstream.base_url,
            "DAEHWA_MODELS": "large,small",
            "DAEHWA_TITLES": "false",
            "DAEHWA_SIGN_IN_ISSUER": ISSUER,
            "DAEHWA_SIGN_IN_CLIENT_ID": "daehwa",
            "DAEHWA_SIGN_IN_ALLOWED_EMAILS": "@example.com",
            "DAEHWA_SIGN_IN_ADMIN_EMAILS": "boss@example.com",
        }
        surroundings = load_aws_surroundings(
            {
                "AWS_REGION": REGION,
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
                "AWS_ENDPOINT_URL_DYNAMODB": dynamodb.endpoint,
                "AWS_ENDPOINT_URL_SSM": f"http://127.0.0.1:{parameters.port}",
            }
        )
        services = FunctionServices(load_settings(environment=told), surroundings)
        async with listening(services.app) as port, aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
            yield Function(services, dynamo_people(services.store.table), client)
        await services.app.aclose()
        await services.aclose()


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
