"""The AWS home as a test has it: the deployed package in the bed, its table, its model, and somebody signed in."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from aws.role import RoleBound
from dynamodb_local import shared_server
from lambda_bed.deployed import ADAPTER
from lambda_bed.environment import Code
from lambda_bed.events import API_HOST, event, request
from lambda_bed.function import Function
from lambda_bed.invocation import Invocation
from model import Model
from server.serving import Frame, Json, frames_of
from upstream import Answer, FakeUpstream, Request

from daehwa.accounts.people import Profile, Session
from daehwa.conversation.ids import now_ms
from daehwa.conversation.messages import Message
from daehwa.deployment.packaging import Target, build_function
from daehwa.sign_in.tokens import digest, new_token
from daehwa.stores.dynamodb import DynamoStore
from daehwa.stores.dynamodb_accounts import DynamoAccounts

PUBLIC_URL = "https://d111111abcdef8.cloudfront.net"
STREAM_SECONDS = 20
SESSION_MS = 3_600_000
COOKIE = "__Host-daehwa"
OPENAI_KEY = "sk-test-that-nobody-may-read"
KEY_PARAMETER = "/daehwa/openai-key"


@dataclass
class AwsHome:
    """The function and what is around it; `token` is the session's cookie, `openai` has the key."""

    function: Function
    store: DynamoStore
    model: Model
    owner: str
    token: str
    openai: "ParameterStore"

    async def invoke(
        self,
        method: str,
        target: str,
        body: object = None,
        *,
        headers: Mapping[str, str] | None = None,
        seconds: float | None = None,
    ) -> Invocation:
        """Ask as the page does: with the session's cookie, and saying that the page is ours."""
        ours = {"cookie": f"{COOKIE}={self.token}", "sec_fetch_site": "same-origin", "origin": PUBLIC_URL}
        return await self.function.invoke(
            event(request(method, target, body, **{**ours, **(headers or {})})), seconds=seconds
        )

    async def call(
        self, method: str, target: str, body: object = None, *, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        """Return status and JSON of an answer."""
        invocation = await self.invoke(method, target, body, headers=headers)
        metadata = await invocation.metadata()
        text = await invocation.body()
        return metadata.status, json.loads(text) if text else None

    async def begin(self, body: Json, *, seconds: float | None = None) -> Invocation:
        """Begin a turn."""
        return await self._streaming(await self.invoke("POST", "/api/turns", body, seconds=seconds))

    async def follow(self, reply: str) -> Invocation:
        """Follow a reply from its beginning."""
        return await self._streaming(await self.invoke("GET", f"/api/turns/{reply}/events"))

    async def turn(self, body: Json) -> list[Frame]:
        """Begin a turn and return its whole stream."""
        return await read(await self.begin(body))

    async def stored(self, reply: str) -> Message:
        """Return a message as it is in the table now."""
        return await self.store.get_message(self.owner, reply)

    async def _streaming(self, invocation: Invocation) -> Invocation:
        metadata = await invocation.metadata()
        assert metadata.status == 200, f"{await invocation.body()!r}\nThe log:\n{self.function.said[-4000:]}"
        assert metadata.header("content-type") == "text/event-stream"
        return invocation

    def frozen(self) -> bool:
        """Whether nothing of the function runs."""
        return all(environment.frozen for environment in self.function.environments if environment.alive)


class ParameterStore:
    """Answers as Systems Manager's parameter store, with the one key that there is, or with none."""

    def __init__(self) -> None:
        self.key: str | None = OPENAI_KEY

    def __call__(self, request: Request) -> Answer:
        """Answer `GetParameter`."""
        asked = request.json
        assert request.headers["x-amz-target"] == "AmazonSSM.GetParameter"
        assert request.headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=test/")
        assert (asked["Name"], asked["WithDecryption"]) == (KEY_PARAMETER, True)
        kind = {"content-type": "application/x-amz-json-1.1"}
        if self.key is None:
            return Answer([b'{"__type":"ParameterNotFound"}'], 400, kind)
        found = {"Parameter": {"Name": KEY_PARAMETER, "Type": "SecureString", "Value": self.key, "Version": 1}}
        return Answer([json.dumps(found).encode()], headers=kind)


def package(folder: Path) -> Path:
    """Build the function as the deploy command does, for this machine, and let nothing be written into it."""
    built = build_function(folder, Target.of_this_machine()).folder
    shared = [path for path in built.rglob("*") if path.is_file() and path.stat().st_nlink > 1]
    assert not shared, "the package's files are also others': in uv's cache, say"
    for path in (built, *built.rglob("*")):
        path.chmod(path.stat().st_mode & ~0o222)
    return built


@asynccontextmanager
async def a_home(code: Code, folder: Path, **told: str) -> AsyncIterator[AwsHome]:
    """Start everything but the first environment: `told` is what else the function's environment says."""
    dynamodb = shared_server()
    table = await dynamodb.new_table()
    store = DynamoStore(dynamodb.connect(table))
    model, openai = Model(), ParameterStore()
    files = _listing(code.task_root)
    bound = RoleBound(dynamodb.endpoint, table)
    async with model.upstream, FakeUpstream(openai) as parameters, bound as role:
        variables = {
            **ADAPTER,
            "DAEHWA_HOME": "aws",
            "DAEHWA_TABLE": table,
            "DAEHWA_KEY_PARAMETER": KEY_PARAMETER,
            "DAEHWA_PUBLIC_URL": PUBLIC_URL,
            "DAEHWA_ALLOWED_HOSTS": API_HOST,
            "DAEHWA_BASE_URL": model.upstream.base_url,
            "DAEHWA_SIGN_IN_ISSUER": "https://issuer.invalid",
            "DAEHWA_SIGN_IN_CLIENT_ID": "daehwa",
            "DAEHWA_SIGN_IN_ALLOWED_EMAILS": "@example.com",
            "AWS_ENDPOINT_URL_DYNAMODB": role.endpoint,
            "AWS_ENDPOINT_URL_SSM": f"http://127.0.0.1:{parameters.port}",
            **told,
        }
        async with Function(replace(code, variables=variables), folder) as function:
            accounts = DynamoAccounts(store.table)
            issuer = variables["DAEHWA_SIGN_IN_ISSUER"]
            profile = Profile(issuer=issuer, subject="jun", email="jun@example.com", name="Jun")
            user = await accounts.sign_in(profile, role=None, now=now_ms())
            token = new_token()
            session = Session(id=digest(token), user=user.id, created=now_ms(), expires=now_ms() + SESSION_MS)
            await accounts.save_session(session)
            yield AwsHome(function, store, model, user.id, token, openai)
            assert function.faults() == []
            assert role.refused == []
    await store.aclose()
    assert _listing(code.task_root) == files, "on Lambda this folder cannot be written to"


def _listing(folder: Path) -> list[tuple[str, int]]:
    return sorted((str(path), path.stat().st_mtime_ns) for path in folder.rglob("*"))


async def read(stream: Invocation) -> list[Frame]:
    """Return a stream's events, to its end."""
    async with asyncio.timeout(STREAM_SECONDS):
        return frames_of((await stream.body()).decode())


async def arrived(stream: Invocation, wanted: str) -> None:
    """Wait until this text has come."""
    async with asyncio.timeout(STREAM_SECONDS):
        async for _ in stream.payload():
            if wanted.encode() in stream.arrived:
                return
    raise AssertionError(stream.arrived)


def continuing(cut: Mapping[str, Any], reply: str) -> Json:
    """Return the body of a turn that goes on with a reply that was cut."""
    return {"conversation": cut["conversation"], "reply": reply, "parent": cut["reply"], "continue": True}
