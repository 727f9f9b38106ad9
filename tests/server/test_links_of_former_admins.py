"""Links that an admin has made are good as long as that admin is one, however that ends."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from server.entrance import OURS, PUBLIC, Entrance, an_entrance
from server.front_door import PASSWORD, FrontDoor, a_front_door
from sign_in.issuer import CLIENT

from daehwa.http_client.client import HttpClient
from daehwa.server.body import SLOW_SECONDS
from daehwa.sign_in.errors import LinkGone
from daehwa.sign_in.flow import SignIn
from daehwa.sign_in.local_accounts import LocalAccounts
from daehwa.sign_in.settings import SignInSettings
from daehwa.sign_in.visitors import NOWHERE
from daehwa.stores.memory_accounts import MemoryAccounts
from daehwa.stores.memory_people import memory_people

ADMINS: dict[str, Any] = {"group_claim": "groups", "group_roles": {"chat-admins": "admin"}}


async def asked(entrance: Entrance, method: str, path: str, body: Any, **headers: str) -> tuple[int, Any]:
    """Ask as a browser of this site; return status and JSON."""
    sent = {**OURS, **headers}
    async with entrance.site.client.request(method, path, json=body, headers=sent) as answer:
        return answer.status, await answer.json()


async def accepted(entrance: Entrance, link: str) -> tuple[int, Any]:
    given = {"token": link.rpartition("/")[2], "login": "back", "password": PASSWORD}
    return await asked(entrance, "POST", "/auth/link/accept", given)


async def test_a_link_opens_nothing_once_the_provider_makes_its_maker_an_admin_no_more(tmp_path: Path) -> None:
    accounts = MemoryAccounts()
    async with an_entrance(tmp_path, people=memory_people(accounts), accounts=accounts, **ADMINS) as entrance:
        boss = await entrance.signed_in(groups=["chat-admins"])
        status, made = await asked(entrance, "POST", "/api/invitations", {"role": "admin"}, **boss)
        assert status == 201
        await entrance.signed_in(groups=[])
        assert (await asked(entrance, "GET", "/api/people", None, **boss))[0] == 403, "they are a member now"
        status, answer = await accepted(entrance, made["url"])
        assert (status, answer["error"]["type"]) == (404, "link_gone")
        other = await entrance.signed_in(sub="sora", groups=["chat-admins"])
        assert (await asked(entrance, "GET", "/api/invitations", None, **other))[1] == {"invitations": []}
        await entrance.signed_in(sub="mina", groups=["chat-admins"])
        assert (await accepted(entrance, made["url"]))[0] == 200, "an admin again: what they made is good again"


async def test_a_link_opens_nothing_once_the_settings_let_its_maker_come_in_no_more(tmp_path: Path) -> None:
    accounts = MemoryAccounts()
    people = memory_people(accounts)
    async with an_entrance(tmp_path, people=people, accounts=accounts) as entrance:
        boss = await entrance.signed_in(email="boss@example.com")
        _, made = await asked(entrance, "POST", "/api/invitations", {"role": "admin"}, **boss)
        settings = SignInSettings(
            issuer=entrance.issuer.url, client_id=CLIENT, public_url=PUBLIC, allowed_emails=("@example.com",)
        )
        token, http = made["url"].rpartition("/")[2], HttpClient()
        named = msgspec.structs.replace(settings, admin_emails=("boss@example.com",))
        for provider in (SignIn(settings, accounts, http), None):
            with pytest.raises(LinkGone):
                await LocalAccounts(people, PUBLIC, provider=provider).links.look(token, NOWHERE)
        again = LocalAccounts(people, PUBLIC, provider=SignIn(named, accounts, http))
        assert (await again.links.look(token, NOWHERE))[0].role == "admin"


async def test_whoever_was_an_admin_before_they_left_has_no_way_back(tmp_path: Path) -> None:
    accounts = MemoryAccounts()
    async with an_entrance(tmp_path, people=memory_people(accounts), accounts=accounts, **ADMINS) as entrance:
        await entrance.signed_in(sub="sora", groups=["chat-admins"])
        boss = await entrance.signed_in(sub="mina", groups=["chat-admins"])
        _, made = await asked(entrance, "POST", "/api/invitations", {"role": "admin"}, **boss)
        former = await entrance.signed_in(groups=[])
        async with entrance.site.client.delete("/api/account", headers={**OURS, **former}) as answer:
            assert answer.status == 204
        assert (await accepted(entrance, made["url"]))[0] == 404


async def test_a_body_that_comes_in_slowly_is_not_taken_for_an_admin_s_any_more(tmp_path: Path) -> None:
    accounts, demoted = MemoryAccounts(), asyncio.Event()
    ways = {**ADMINS, "group_roles": {"chat-admins": "admin", "visitors": "guest"}}
    async with an_entrance(tmp_path, people=memory_people(accounts), accounts=accounts, **ways) as entrance:
        boss = await entrance.signed_in(groups=["chat-admins"])

        async def slowly(body: bytes) -> AsyncIterator[bytes]:
            yield body[:5]
            await demoted.wait()
            yield body[5:]

        headers = {**OURS, **boss, "content-type": "application/json"}
        bodies = {"/api/groups": b'{"name":"Lab"}', "/api/keys": b'{"name":"key"}'}
        sending = [
            asyncio.create_task(entrance.site.client.request("POST", path, data=slowly(body), headers=headers))
            for path, body in bodies.items()
        ]
        await asyncio.sleep(SLOW_SECONDS + 0.2)
        await entrance.signed_in(groups=["visitors"])
        demoted.set()
        assert [(await each).status for each in sending] == [403, 403]


@pytest.fixture
async def door(tmp_path: Path) -> Any:
    async with a_front_door(tmp_path) as made:
        yield made


async def test_an_admin_who_deletes_themselves_leaves_no_way_back(door: FrontDoor) -> None:
    boss = await door.admin()
    former = await door.member("former", role="admin")
    kept = (await former.call("POST", "/api/invitations", {"role": "admin"}))[1]["url"]
    mine = (await boss.call("POST", "/api/invitations", {}))[1]["url"]
    assert await former.call("DELETE", "/api/account", {"password": PASSWORD}) == (204, None)
    assert (await door.browser().accept(kept, login="back"))[0] == 404
    assert await door.browser().accept(mine, login="guest") == (200, {"next": "done"}), "another admin's are good"
