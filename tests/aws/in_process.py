"""The function's application as it is wired, served in this process; its table grants it what its role does."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any, NamedTuple

import aiohttp
from aws.home import COOKIE, KEY_PARAMETER, PUBLIC_URL, SESSION_MS, ParameterStore
from aws.role import RoleBound
from dynamodb_local import REGION, shared_server
from server.serving import listening
from upstream import FakeUpstream

from daehwa.accounts.people import Profile, Session, User
from daehwa.accounts.people_ports import PeopleStores
from daehwa.conversation.ids import now_ms
from daehwa.services.aws import FunctionServices
from daehwa.settings import load_aws_surroundings, load_settings
from daehwa.sign_in.tokens import digest, new_token
from daehwa.stores.dynamodb_client import DynamoTable
from daehwa.stores.dynamodb_people import dynamo_people

ISSUER = "https://issuer.invalid"
Headers = dict[str, str]


class Function(NamedTuple):
    """The application. `table` and `people` are the test's own way to what it stores, which may do everything."""

    services: FunctionServices
    role: RoleBound
    table: DynamoTable
    people: PeopleStores
    client: aiohttp.ClientSession

    async def member(self, name: str) -> tuple[User, Headers]:
        """Somebody whom the provider has let in, and what their browser sends."""
        return await member_of(self.people, name)

    async def signed_in(self, name: str) -> Headers:
        """What the browser of somebody sends whom the provider has let in."""
        return (await self.member(name))[1]

    async def call(self, who: Headers, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Return status and JSON of an answer, or its text."""
        async with self.client.request(method, path, json=body, headers=who) as answer:
            text = await answer.text()
            is_json = answer.headers.get("content-type") == "application/json"
            return answer.status, await answer.json() if is_json else text

    async def items(self) -> str:
        """Everything that the table holds."""
        return repr([item async for item in self.table._client.scan(self.table.name, consistent_read=True)])


def settings_of(table: str, upstream: FakeUpstream) -> dict[str, str]:
    """What the function's environment says of itself."""
    return {
        "DAEHWA_HOME": "aws",
        "DAEHWA_TABLE": table,
        "DAEHWA_KEY_PARAMETER": KEY_PARAMETER,
        "DAEHWA_PUBLIC_URL": PUBLIC_URL,
        "DAEHWA_BASE_URL": upstream.base_url,
        "DAEHWA_TITLES": "false",
        "DAEHWA_SIGN_IN_ISSUER": ISSUER,
        "DAEHWA_SIGN_IN_CLIENT_ID": "daehwa",
        "DAEHWA_SIGN_IN_ALLOWED_EMAILS": "@example.com",
        "DAEHWA_SIGN_IN_ADMIN_EMAILS": "boss@example.com",
    }


def surroundings_of(dynamodb: str, parameters: int) -> dict[str, str]:
    """What Lambda says in the function's environment, with the addresses of what stands in for AWS."""
    return {
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_ENDPOINT_URL_DYNAMODB": dynamodb,
        "AWS_ENDPOINT_URL_SSM": f"http://127.0.0.1:{parameters}",
    }


async def member_of(people: PeopleStores, name: str) -> tuple[User, Headers]:
    """Let somebody in as the provider does; return what their browser sends from then on, too."""
    profile = Profile(issuer=ISSUER, subject=name, email=f"{name}@example.com", name=name)
    user = await people.accounts.sign_in(profile, role=None, now=now_ms())
    token = new_token()
    session = Session(id=digest(token), user=user.id, created=now_ms(), expires=now_ms() + SESSION_MS)
    await people.accounts.save_session(session)
    return user, {"cookie": f"{COOKIE}={token}", "sec-fetch-site": "same-origin"}


@contextlib.asynccontextmanager
async def a_function(upstream: FakeUpstream, key: str | None = None, **told: str) -> AsyncIterator[Function]:
    """Serve it before an upstream, which knows the `key`. Nothing of what its role does not grant may be asked."""
    async with _served(await shared_server().new_table(), upstream, key, told) as function:
        yield function


@contextlib.asynccontextmanager
async def another_beside(function: Function, upstream: FakeUpstream, **told: str) -> AsyncIterator[Function]:
    """Serve it once more, on the table of another one."""
    async with _served(function.table.name, upstream, None, told) as another:
        yield another


@contextlib.asynccontextmanager
async def _served(
    name: str, upstream: FakeUpstream, key: str | None, told: Mapping[str, str]
) -> AsyncIterator[Function]:
    dynamodb, parameters = shared_server(), ParameterStore()
    parameters.key = key or parameters.key
    async with RoleBound(dynamodb.endpoint, name) as role, FakeUpstream(parameters) as kept:
        environment = {**settings_of(name, upstream), **told}
        surroundings = load_aws_surroundings(surroundings_of(role.endpoint, kept.port))
        services, table = FunctionServices(load_settings(environment=environment), surroundings), dynamodb.connect(name)
        async with listening(services.app) as port, aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
            yield Function(services, role, table, dynamo_people(table), client)
        await services.app.aclose()
        await services.aclose()
        await table.aclose()
        assert role.refused == []
