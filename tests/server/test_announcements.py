"""What an admin tells everybody: bounded, plain, written down, and seen by all until it is over."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from server.front_door import FrontDoor, a_front_door, people_in

from daehwa.accounts.installation import Announcement, InstallationChanges
from daehwa.conversation.ids import now_ms

HOUR_MS = 3_600_000


@pytest.fixture(params=["memory", "sqlite", "dynamodb"])
async def door(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[FrontDoor]:
    async with people_in(request.param, tmp_path) as people, a_front_door(tmp_path, people=people) as made:
        yield made


async def test_everybody_is_told_with_the_first_thing_that_they_ask(door: FrontDoor) -> None:
    boss, mina = await door.admin(), await door.member()
    assert (await mina.call("GET", "/api/me"))[1]["announcement"] is None
    ends = now_ms() + HOUR_MS
    wish = {"en": "  Maintenance on\nFriday 18:00 ", "ko": "금요일 18시에 점검해요 👩‍🔧", "until": ends}
    status, decided = await boss.call("PATCH", "/api/installation", {"announcement": wish})
    told = {"en": "Maintenance on Friday 18:00", "ko": "금요일 18시에 점검해요 👩‍🔧", "until": ends}
    assert (status, decided["announcement"]) == (200, told)
    assert (await mina.call("GET", "/api/me"))[1]["announcement"] == told
    event = (await boss.call("GET", "/api/audit?limit=1"))[1]["events"][0]
    assert (event["action"], event["actor_name"]) == ("installation.changed", "boss")
    assert event["details"]["announcement"] == told["en"]
    assert event["details"]["until"].endswith(" UTC")
    assert (await boss.call("PATCH", "/api/installation", {"retention_days": 30}))[1]["announcement"] == told
    assert (await boss.call("PATCH", "/api/installation", {"announcement": None}))[1]["announcement"] is None
    assert (await mina.call("GET", "/api/me"))[1]["announcement"] is None
    assert (await boss.call("GET", "/api/audit?limit=1"))[1]["events"][0]["details"] == {"announcement": False}


async def test_one_language_is_enough(door: FrontDoor) -> None:
    boss = await door.admin()
    wish = {"ko": "금요일에 점검해요"}
    assert (await boss.call("PATCH", "/api/installation", {"announcement": wish}))[0] == 200
    told = (await boss.call("GET", "/api/me"))[1]["announcement"]
    assert told == {"en": "", "ko": "금요일에 점검해요", "until": None}


async def test_nobody_is_told_of_what_is_over(door: FrontDoor) -> None:
    boss, mina = await door.admin(), await door.member()
    over = Announcement(en="It was on Friday", until=now_ms() - 1)
    await door.people.installation.change_installation(InstallationChanges(announcement=over))
    assert (await mina.call("GET", "/api/me"))[1]["announcement"] is None
    assert (await boss.call("GET", "/api/installation"))[1]["announcement"]["en"] == "It was on Friday"


@pytest.mark.parametrize(
    ("wish", "param"),
    [
        ({}, "announcement"),
        ({"en": " ", "ko": "\n"}, "announcement"),
        ({"en": "x" * 201}, "announcement.en"),
        ({"ko": "가" * 201}, "announcement.ko"),
        ({"en": "a bell \u0007"}, "announcement.en"),
        ({"en": "late", "until": 1}, "announcement.until"),
        ({"en": "for ever", "until": 2**53}, "announcement.until"),
        ({"en": "in words", "until": "Friday"}, "announcement.until"),
        ({"fr": "Vendredi"}, "announcement.fr"),
        ("Friday", "announcement"),
    ],
)
async def test_what_cannot_be_announced_is_refused(door: FrontDoor, wish: Any, param: str) -> None:
    boss = await door.admin()
    status, answer = await boss.call("PATCH", "/api/installation", {"announcement": wish})
    assert (status, answer["error"]["type"], answer["error"]["param"]) == (400, "invalid_request", param)
    assert (await boss.call("GET", "/api/installation"))[1]["announcement"] is None


async def test_members_announce_nothing(door: FrontDoor) -> None:
    mina = await door.member()
    refused = await mina.refused("PATCH", "/api/installation", {"announcement": {"en": "Mine"}})
    assert refused == (403, "not_allowed")
