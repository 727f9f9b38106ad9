"""All that the function serves, with no more than its role grants: a route that needs more of the table is refused."""

import io
import re
import zipfile
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import msgspec
import pytest
from attacks.world import BODIES, Things
from aws.in_process import Function, Headers, a_function
from images import sent
from openai_like.server import OpenAiLike
from openai_like.wording import KEY
from server.serving import asked

from daehwa.accounts.people import Session
from daehwa.conversation.errors import StoreError
from daehwa.conversation.ids import new_id, now_ms
from daehwa.sign_in.tokens import digest, new_token
from daehwa.stores.dynamodb import DynamoStore

MODELS = {
    "/v1/completions": "writes-instruct",
    "/v1/embeddings": "embeds",
    "/v1/images/generations": "draws",
    "/v1/images/edits": "draws",
    "/v1/images/variations": "draws",
    "/v1/audio/speech": "speaks",
    "/v1/moderations": "omni-moderation-test",
    "/v1/audio/transcriptions": "hears-seconds",
    "/v1/audio/translations": "hears-seconds",
}
FILES = {
    **dict.fromkeys(("/v1/audio/transcriptions", "/v1/audio/translations"), "file"),
    **dict.fromkeys(("/v1/images/edits", "/v1/images/variations"), "image"),
}
_NOT_SERVED = """
GET /metrics
POST /auth/password
POST /auth/code
POST /auth/passkey
POST /auth/passkey/options
POST /auth/link
POST /auth/link/accept
POST /auth/reset
PATCH /api/account
POST /api/account/password
POST /api/account/totp
POST /api/account/totp/confirm
POST /api/account/totp/recovery-codes
POST /api/account/totp/off
POST /api/account/passkeys/options
POST /api/account/passkeys
DELETE /api/account/passkeys/{passkey}
POST /api/people/{person}/reset
POST /api/invitations
DELETE /api/invitations/{invitation}
"""
NOT_SERVED = set(_NOT_SERVED.strip().splitlines())
"""What this home does not have: counts of one process, and what belongs to accounts of a server's own."""
NOT_ASKED = {"GET /auth/sign-in", "GET /auth/callback"}
"""Needs an identity provider: tests/aws/test_adapter_function.py signs in by one."""


@pytest.fixture
async def function() -> AsyncIterator[Function]:
    async with OpenAiLike() as upstream:
        models = ",".join(("talks", *dict.fromkeys(MODELS.values())))
        told = {"DAEHWA_MODELS": models, "DAEHWA_TITLES": "true", "DAEHWA_BUDGETS": "all month 50, user day 5"}
        told["DAEHWA_PRICES"] = ", ".join(f"{model} input 1 output 2" for model in models.split(","))
        async with a_function(upstream, KEY, **told) as made:
            yield made


async def _things(function: Function, boss: Headers) -> Things:
    """People and things for one request."""
    call, now = function.call, now_ms()
    owner, headers = await function.member(f"ann-{new_id()}")
    other = Session(id=digest(new_token()), user=owner.id, created=now, expires=now + 3_600_000)
    await function.people.accounts.save_session(other)
    turn = asked("What only Ann may read")
    image = sent()
    turn["message"]["parts"].append(image)
    async with function.client.post("/api/turns", json=turn, headers=headers) as stream:
        assert "event: done" in await stream.text()
    limits = {"day": 1_000_000, "requests_per_minute": 1000, "tokens_per_minute": 1_000_000}
    key = (await call(headers, "POST", "/api/keys", {"name": "key", **limits}))[1]
    group = (await call(boss, "POST", "/api/groups", {"name": f"Lab {new_id()}"}))[1]
    names = {
        "conversation": turn["conversation"],
        "reply": turn["reply"],
        "image": image["image"],
        "key": key["key"]["id"],
        "model": "talks",
        "person": owner.id,
        "provider": "openai",
        "group": group["id"],
        "session": other.id,
        "passkey": new_id(),
        "invitation": new_id(),
    }
    program = {"authorization": f"Bearer {key['secret']}", "idempotency-key": new_id()}
    return Things({"boss": boss, "ann": headers, "program": program}, owner, names, turn)


async def _answered(function: Function, route: str, things: Things, *, for_admins: bool) -> tuple[int, str]:
    method, _, path = route.partition(" ")
    headers = things.headers["program" if path.startswith("/v1") else "boss" if for_admins else "ann"]
    if route == "DELETE /api/account":  # whoever has spent of a budget asks an admin
        _, headers = await function.member(f"sora-{new_id()}")
    more: dict[str, Any] = {}
    if path in FILES:
        form = aiohttp.FormData({"model": MODELS[path], "prompt": "A sea"})
        form.add_field(FILES[path], b"RIFF" * 100, filename="talk.wav", content_type="audio/wav")
        more["data"] = form
    elif method in {"POST", "PATCH"}:
        more["json"] = BODIES[route](things) if route in BODIES else {}
        if path.startswith("/v1"):
            more["json"] |= {"model": MODELS.get(path, "talks")}
    path = re.sub(r"\{([a-z_]+)\}", lambda name: things.names[name[1]], path)
    async with function.client.request(method, path, headers=headers, **more) as answer:
        return answer.status, (await answer.read()).decode("utf-8", "replace")


async def test_no_route_needs_more_than_the_functions_role_grants(function: Function) -> None:
    _, boss = await function.member("boss")
    assert (await function.call(boss, "PATCH", "/api/installation", {"admins_may_read": True}))[0] == 200
    refused, wrong = {}, {}
    for operation in function.services.app.operations:
        route = f"{operation.method} {operation.path}"
        if route in NOT_ASKED:
            continue
        things = await _things(function, boss)
        status, said = await _answered(function, route, things, for_admins=operation.for_admins)
        if function.role.refused:
            refused[route] = list(function.role.refused)
            function.role.refused.clear()
        if status >= 400 and route not in NOT_SERVED:
            wrong[route] = (status, said)
    assert not refused
    assert not wrong, "and each did what it is there for"


async def test_what_is_removed_in_passing_needs_no_more_either(function: Function) -> None:
    _, boss = await function.member("boss")
    store = function.services.store
    for purge in (store.purge_deleted, store.purge_untouched):
        things = await _things(function, boss)
        path = f"/api/conversations/{things.names['conversation']}"
        assert (await function.call(things.headers["ann"], "DELETE", path))[0] == 204
        assert await purge(before=now_ms() + 1000) >= 1
    things = await _things(function, boss)
    await store.interrupt_replies(heartbeat_before=now_ms(), conversation=things.names["conversation"])


async def test_everybody_takes_along_all_that_is_theirs(function: Function) -> None:
    _, boss = await function.member("boss")
    things = await _things(function, boss)
    ann, call = things.headers["ann"], function.call
    kept, archived, deleted = things.turn, asked("Put away"), asked("Thrown away")
    for turn in (archived, deleted):
        async with function.client.post("/api/turns", json=turn, headers=ann) as stream:
            assert "event: done" in await stream.text()
    assert (await call(ann, "PATCH", f"/api/conversations/{archived['conversation']}", {"archived": True}))[0] == 200
    assert (await call(ann, "DELETE", f"/api/conversations/{deleted['conversation']}"))[0] == 204
    async with function.client.get("/api/account/export", headers=ann) as answer:
        assert answer.status == 200
        archive = zipfile.ZipFile(io.BytesIO(await answer.read()))
    lines = [msgspec.json.decode(line) for line in archive.read("conversations.jsonl").splitlines()]
    taken = [line["record"]["conversation"]["id"] for line in lines if "record" in line]
    assert sorted(taken) == sorted(turn["conversation"] for turn in (kept, archived, deleted))


async def test_what_the_role_does_not_grant_is_refused(function: Function) -> None:
    store: DynamoStore = function.services.store
    with pytest.raises(StoreError, match="does not let this program in"):
        [record async for record in store.export_conversations()]
    assert function.role.refused == [f"Scan on {function.table.name}/index/lists"]
    function.role.refused.clear()
