"""What is decided for everybody, over HTTP: reading what others wrote, retention, the audit log and its chain."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from images import GIF, sent
from server.front_door import Browser, FrontDoor, a_front_door, people_in
from server.serving import Json, asked

from daehwa.accounts.audit import AuditEvent, ChainWalk
from daehwa.accounts.people_ports import PeopleStores
from daehwa.conversation.ids import new_id

SAID = "What only Mina may read"


@pytest.fixture(params=["memory", "sqlite", "dynamodb"])
async def people(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[PeopleStores]:
    async with people_in(request.param, tmp_path) as stores:
        yield stores


@pytest.fixture
async def door(people: PeopleStores, tmp_path: Path) -> AsyncIterator[FrontDoor]:
    async with a_front_door(tmp_path, people=people) as made:
        yield made


async def wrote(browser: Browser, *images: Json) -> tuple[str, str]:
    """Let somebody write; return who and where."""
    body = asked(SAID)
    body["message"]["parts"] += images
    cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    await browser.door.site.turn(body, cookie=cookie, **browser.headers)
    return (await browser.call("GET", "/api/me"))[1]["user"]["id"], body["conversation"]


async def events_of(admin: Browser, action: str) -> list[dict[str, Any]]:
    page = (await admin.call("GET", "/api/audit?limit=200"))[1]
    return [event for event in page["events"] if event["action"] == action]


async def test_admins_read_only_where_that_is_switched_on_and_it_is_written_down(door: FrontDoor) -> None:
    boss, mina = await door.admin(), await door.member()
    person, conversation = await wrote(mina)
    listed = f"/api/people/{person}/conversations"
    for path in (listed, f"{listed}/{conversation}"):
        assert await boss.refused("GET", path) == (403, "not_allowed")
    assert (await mina.call("GET", "/api/me"))[1]["admins_may_read"] is False
    assert await mina.refused("PATCH", "/api/installation", {"admins_may_read": True}) == (403, "not_allowed")

    assert await boss.call("PATCH", "/api/installation", {"admins_may_read": True}) == (
        *(200, {"admins_may_read": True, "retention_days": None, "announcement": None}),
    )
    told = (await mina.call("GET", "/api/me"))[1]
    assert (told["admins_may_read"], told["may_administer"]) == (True, False), "everybody sees it"
    assert (await mina.call("GET", "/api/installation"))[1]["admins_may_read"] is True
    status, page = await boss.call("GET", listed)
    assert (status, [each["id"] for each in page["conversations"]]) == (200, [conversation])
    status, opened = await boss.call("GET", f"{listed}/{conversation}")
    assert status == 200
    assert SAID in json.dumps(opened)
    assert await mina.refused("GET", listed) == (403, "not_allowed")
    assert (await boss.call("GET", "/api/conversations"))[1]["conversations"] == [], "it is nobody else's"
    assert await boss.refused("GET", f"/api/people/nobody/conversations/{conversation}") == (404, "user_not_found")

    (changed,) = await events_of(boss, "installation.changed")
    assert changed["details"] == {"admins_may_read": True}
    (seen,) = await events_of(boss, "conversations.listed")
    (read,) = await events_of(boss, "conversation.read")
    assert seen["subject"] == read["subject"] == person
    assert read["details"] == {"conversation": conversation}
    assert read["actor_name"] == "boss"
    assert SAID not in json.dumps((await boss.call("GET", "/api/audit?limit=200"))[1]), "never a word of it"

    assert (await boss.call("PATCH", "/api/installation", {"admins_may_read": False}))[0] == 200
    assert await boss.refused("GET", f"{listed}/{conversation}") == (403, "not_allowed")


async def test_admins_see_images_where_they_may_read_and_it_is_written_down(door: FrontDoor) -> None:
    boss, mina = await door.admin(), await door.member()
    image = sent(GIF)
    person, conversation = await wrote(mina, image)
    path = f"/api/people/{person}/conversations/{conversation}/images/{image['image']}"
    assert await boss.refused("GET", path) == (403, "not_allowed")
    assert (await boss.call("PATCH", "/api/installation", {"admins_may_read": True}))[0] == 200
    status, _, headers = await boss.heard("GET", path)
    assert (status, headers["Content-Type"], headers["Cache-Control"]) == (200, "image/gif", "no-store")
    assert headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    (read,) = await events_of(boss, "conversation.read")
    assert (read["subject"], read["details"]) == (person, {"conversation": conversation})
    assert await boss.refused("GET", path.replace(image["image"], new_id())) == (404, "image_not_found")
    own = f"/api/conversations/{conversation}/images/{image['image']}"
    assert await boss.refused("GET", own) == (404, "conversation_not_found"), "by their own path it is nobody else's"
    assert await mina.refused("GET", path) == (403, "not_allowed")
    status, _, headers = await mina.heard("GET", own)
    assert (status, headers["Cache-Control"]) == (200, "private, max-age=31536000, immutable")
    mina.cookies.clear()
    assert await mina.refused("GET", own) == (401, "not_signed_in")


async def test_retention_is_days_or_never(door: FrontDoor) -> None:
    boss = await door.admin()
    assert (await boss.call("PATCH", "/api/installation", {"retention_days": 30}))[1]["retention_days"] == 30
    assert (await boss.call("PATCH", "/api/installation", {}))[1]["retention_days"] == 30
    for wrong in (0, -1, 40_000, 1.5, "30"):
        assert await boss.refused("PATCH", "/api/installation", {"retention_days": wrong}) == (400, "invalid_request")
    assert (await boss.call("PATCH", "/api/installation", {"retention_days": None}))[1]["retention_days"] is None


async def test_the_log_is_paged_exported_and_checked(door: FrontDoor) -> None:
    boss, _ = await door.admin(), await door.member()
    for name in ("a", "b", "c"):
        assert (await boss.call("POST", "/api/groups", {"name": name}))[0] == 201
    status, first = await boss.call("GET", "/api/audit?limit=3")
    assert status == 200
    assert [event["action"] for event in first["events"]] == ["group.added"] * 3
    assert first["events"][0]["details"] == {"name": "c"}
    assert list(first["people"].values()) == ["boss"]
    second = (await boss.call("GET", f"/api/audit?limit=200&before={first['next']}"))[1]
    assert second["next"] is None
    numbers = [event["seq"] for event in (*first["events"], *second["events"])]
    assert numbers == list(range(len(numbers), 0, -1))
    assert await boss.refused("GET", "/api/audit?before=0") == (400, "invalid_request")

    cookie = "; ".join(f"{name}={value}" for name, value in boss.cookies.items())
    client = door.site.client
    async with client.get("/api/audit/export", headers={"cookie": cookie, **boss.headers}) as answer:
        assert answer.headers["content-type"] == "application/x-ndjson"
        lines = (await answer.text()).splitlines()
    walk = ChainWalk()
    for line in lines:
        walk.see(AuditEvent(**json.loads(line)))
    assert (walk.result.ok, walk.result.events) == (True, len(numbers) + 1), "the export is an act as well"
    assert await boss.call("GET", "/api/audit/check") == (
        *(200, {"holds": True, "events": len(lines), "broken_at": None}),
    )
