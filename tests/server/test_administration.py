"""Administration over HTTP: people, invitations and groups, in memory and in a file."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from books import note
from server.entrance import OURS, SESSION, an_entrance
from server.front_door import PUBLIC, Browser, FrontDoor, a_front_door, people_in

from daehwa.accounts.people import NewUser
from daehwa.stores.memory_accounts import MemoryAccounts
from daehwa.stores.memory_people import memory_people


@pytest.fixture(params=["memory", "sqlite", "dynamodb"])
async def door(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[FrontDoor]:
    async with people_in(request.param, tmp_path) as people, a_front_door(tmp_path, people=people) as made:
        yield made


async def people_of(admin: Browser) -> dict[str, dict[str, Any]]:
    """Everybody by login."""
    status, listed = await admin.call("GET", "/api/people")
    assert status == 200
    return {person["login"]: person for person in listed["people"]}


async def test_people_are_listed_with_what_they_sign_in_by(door: FrontDoor) -> None:
    boss, _ = await door.admin(), await door.member(email="mina@example.com", login="mina@example.com")
    mina = (await people_of(boss))["mina@example.com"]
    await note(door.books, mina["id"], cost=1_500_000)
    await note(door.books, mina["id"], cost=900_000, day="2026-10-31")
    people = await people_of(boss)
    assert set(people) == {"boss", "mina@example.com"}
    told = people["mina@example.com"]
    assert told == {
        "id": told["id"],
        "login": "mina@example.com",
        "email": "mina@example.com",
        "name": "",
        "role": "member",
        "groups": [],
        "door": "local",
        "disabled": None,
        "leaving": None,
        "created": told["created"],
        "last_seen": told["last_seen"],
        "has_password": True,
        "has_totp": False,
        "passkeys": 0,
        "month_cost": 1_500_000,
    }


async def test_people_are_listed_in_pages_and_found_by_words(door: FrontDoor) -> None:
    boss = await door.admin()
    door.clock.now += 1000  # of the same moment, chance would say who stands where, and nobody deletes themselves
    for login in ("mina", "jun", "sora"):
        new = NewUser(login=login, name=f"{login} Kim", email=f"{login}@example.com")
        await door.people.accounts.add_user(new, now=door.clock.now)
    first = (await boss.call("GET", "/api/people?limit=3"))[1]
    assert (first["count"], len(first["people"])) == (4, 3)
    # Whoever ended the page goes meanwhile; the next one begins where it would have.
    assert (await boss.call("DELETE", f"/api/people/{first['people'][2]['id']}"))[0] == 204
    rest = (await boss.call("GET", f"/api/people?limit=3&after={first['after']}"))[1]
    assert (rest["count"], rest["after"]) == (3, None)
    seen = [person["login"] for page in (first, rest) for person in page["people"]]
    assert sorted(seen) == ["boss", "jun", "mina", "sora"]
    for query, found in (("KIM", 2), ("boss", 1), ("kim nobody", 0)):
        page = (await boss.call("GET", f"/api/people?query={query}"))[1]
        assert (page["count"], len(page["people"])) == (found, found)
    for wrong in ("after=x", "after=W10", "limit=0", "limit=101", "page=2"):
        assert await boss.refused("GET", f"/api/people?{wrong}") == (400, "invalid_request")


async def test_a_person_is_changed_and_each_act_is_written_down(door: FrontDoor) -> None:
    boss, mina = await door.admin(), await door.member()
    group = (await boss.call("POST", "/api/groups", {"name": "Lab"}))[1]["id"]
    path = f"/api/people/{(await people_of(boss))['mina']['id']}"
    known = len(await door.acts())
    asked = {"role": "guest", "groups": [group, group], "name": " Mina  Kim ", "email": "mina@example.com"}
    status, changed = await boss.call("PATCH", path, asked)
    assert status == 200
    assert (changed["role"], changed["groups"], changed["name"], changed["email"]) == (
        *("guest", [group], "Mina Kim", "mina@example.com"),
    )
    assert not await mina.is_in(), "a changed role ends all sessions"
    acts = ["person.role_changed", "person.groups_changed", "person.renamed", "person.email_changed"]
    assert (await door.acts())[known:] == acts
    assert (await boss.call("PATCH", path, {"name": "Mina Kim"}))[1]["email"] == "mina@example.com"
    assert (await door.acts())[known:] == acts, "nothing was changed"
    assert (await boss.call("PATCH", path, {"email": None}))[1]["email"] is None
    assert await boss.refused("PATCH", path, {"groups": ["gone"]}) == (400, "invalid_request")
    assert await boss.refused("PATCH", path, {"email": "a@b,c@d"}) == (400, "invalid_request")
    assert await boss.refused("PATCH", path, {"role": "king"}) == (400, "invalid_request")
    assert await boss.refused("PATCH", "/api/people/nobody", {}) == (404, "user_not_found")


async def test_whoever_is_disabled_is_out_until_they_are_let_in(door: FrontDoor) -> None:
    boss, mina = await door.admin(), await door.member()
    path = f"/api/people/{(await people_of(boss))['mina']['id']}"
    status, changed = await boss.call("PATCH", path, {"disabled": True})
    assert (status, changed["disabled"]) == (200, door.clock.now)
    assert not await mina.is_in()
    assert await door.browser().refused(
        "POST", "/auth/password", {"login": "mina", "password": "a long enough sentence"}
    ) == (403, "account_disabled")
    door.clock.go_on(60)
    assert (await boss.call("PATCH", path, {"disabled": True}))[1]["disabled"] == changed["disabled"], "since then"
    assert (await boss.call("PATCH", path, {"disabled": False}))[1]["disabled"] is None
    assert await door.browser().sign_in("mina") == (200, {"next": "done"})
    acts = [act for act in await door.acts() if act.startswith("person.")]
    assert acts == ["person.disabled", "person.enabled"]


async def test_the_last_admin_stays_and_nobody_locks_themselves_out(door: FrontDoor) -> None:
    boss = await door.admin()
    path = f"/api/people/{(await people_of(boss))['boss']['id']}"
    assert await boss.refused("PATCH", path, {"role": "member"}) == (403, "not_allowed")
    assert await boss.refused("PATCH", path, {"disabled": True}) == (403, "not_allowed")
    assert await boss.refused("DELETE", path) == (403, "not_allowed")
    assert await boss.refused("POST", f"{path}/sign-out") == (403, "not_allowed")
    assert (await boss.call("PATCH", path, {"role": "admin", "name": "Boss"}))[1]["name"] == "Boss"
    second = await door.member("second", role="admin")
    assert (await second.call("PATCH", path, {"role": "member"}))[0] == 200
    assert not await boss.is_in()


@pytest.mark.parametrize("change", [{"role": "member"}, {"disabled": True}, None])
async def test_an_admin_who_is_none_any_more_comes_back_by_no_link_that_they_made(
    door: FrontDoor, change: dict[str, Any] | None
) -> None:
    boss, former = await door.admin(), await door.member("former", role="admin")
    ids = {login: person["id"] for login, person in (await people_of(boss)).items()}
    kept = [
        (await former.call("POST", "/api/invitations", {"role": "admin"}))[1]["url"],
        (await former.call("POST", f"/api/people/{ids['boss']}/reset", {"second_factor": True}))[1]["url"],
    ]
    mine = (await boss.call("POST", "/api/invitations", {}))[1]["url"]
    path = f"/api/people/{ids['former']}"
    known = len(await door.acts())
    status, _ = await boss.call("DELETE", path) if change is None else await boss.call("PATCH", path, change)
    assert status in {200, 204}
    assert "link.revoked" in (await door.acts())[known:]
    token = {"password": "one more long sentence", "login": "back"}
    for link in kept:
        given = {"token": link.rpartition("/")[2], **token}
        assert await door.browser().refused("POST", "/auth/link/accept", given) == (404, "link_gone")
    assert await boss.is_in()
    assert await door.browser().accept(mine, login="guest") == (200, {"next": "done"}), "another admin's are good"


async def test_sessions_are_ended_and_a_lost_password_is_set_anew(door: FrontDoor) -> None:
    boss, mina = await door.admin(), await door.member()
    path = f"/api/people/{(await people_of(boss))['mina']['id']}"
    assert await boss.call("POST", f"{path}/sign-out") == (204, None)
    assert not await mina.is_in()
    status, made = await boss.call("POST", f"{path}/reset", {"second_factor": True})
    assert status == 200
    assert made["url"].startswith(f"{PUBLIC}/#/link/")
    assert made["expires"] == door.clock.now + 24 * 3_600_000
    status, refused = await door.browser().sign_in("mina")
    assert (status, refused["error"]["type"]) == (401, "credentials_refused"), "no password alone opens it meanwhile"
    assert await door.browser().accept(made["url"], password="one more long sentence") == (200, {"next": "done"})
    assert (await door.browser().sign_in("mina", "one more long sentence"))[0] == 200


async def test_an_invitation_is_made_listed_used_and_revoked(door: FrontDoor) -> None:
    boss = await door.admin()
    group = (await boss.call("POST", "/api/groups", {"name": "Lab"}))[1]["id"]
    wish = {"email": "mina@example.com", "role": "guest", "groups": [group]}
    status, made = await boss.call("POST", "/api/invitations", wish)
    assert status == 201
    invitation = made["invitation"]
    assert invitation | {"id": ""} == {
        "id": "",
        "kind": "invite",
        "email": "mina@example.com",
        "name": None,
        "role": "guest",
        "groups": [group],
        "created": door.clock.now,
        "expires": door.clock.now + 7 * 24 * 3_600_000,
        "by": "boss",
    }
    token = made["url"].rpartition("/")[2]
    assert (await boss.call("GET", "/api/invitations"))[1] == {"invitations": [invitation]}
    assert token not in str((await boss.call("GET", "/api/invitations"))[1]), "what opens it is told once"
    assert await door.browser().accept(made["url"]) == (200, {"next": "done"})
    assert (await people_of(boss))["mina@example.com"]["groups"] == [group]
    assert (await boss.call("GET", "/api/invitations"))[1] == {"invitations": []}
    other = (await boss.call("POST", "/api/invitations", {}))[1]
    gone = f"/api/invitations/{other['invitation']['id']}"
    assert await boss.call("DELETE", gone) == (204, None)
    assert await boss.refused("DELETE", gone) == (404, "invitation_not_found")
    assert (await door.browser().accept(other["url"], login="second"))[0] == 404
    assert await boss.refused("POST", "/api/invitations", {"email": "nobody"}) == (400, "invalid_request")
    assert await boss.refused("POST", "/api/invitations", {"groups": ["gone"]}) == (400, "invalid_request")


async def test_groups_are_made_changed_and_removed(door: FrontDoor) -> None:
    boss, _ = await door.admin(), await door.member()
    wish = {
        "name": " The  Lab ",
        "models": ["parrot", "gone-*", "s*", "feathers"],
        "month": 5_000_000,
        "instructions": "Be brief.",
        "claim": "lab",
    }
    status, made = await boss.call("POST", "/api/groups", wish)
    assert status == 201
    assert made == {
        **wish,
        "id": made["id"],
        "name": "The Lab",
        "day": None,
        "total": None,
        "created": door.clock.now,
        "members": 0,
        "spent": {"day": None, "month": 0, "total": None},
        "unmatched": ["gone-*"],
    }
    assert await boss.refused("POST", "/api/groups", {"name": "the lab"}) == (409, "group_name_taken")
    assert await boss.refused("POST", "/api/groups", {"name": "  "}) == (400, "invalid_request")
    person = f"/api/people/{(await people_of(boss))['mina']['id']}"
    await boss.call("PATCH", person, {"groups": [made["id"]]})
    asked = ([made["id"]], [made["id"], (await boss.call("POST", "/api/groups", {"name": "Other"}))[1]["id"]])
    links = [(await boss.call("POST", "/api/invitations", {"groups": groups}))[1]["url"] for groups in asked]
    await boss.call("DELETE", f"/api/groups/{asked[1][1]}")
    path = f"/api/groups/{made['id']}"
    await note(door.books, "mina", groups=(made["id"],))
    status, changed = await boss.call("PATCH", path, {"month": None, "day": 1})
    assert status == 200
    spent = {"day": 1_500_000, "month": None, "total": None}
    assert changed == {**made, "month": None, "day": 1, "members": 1, "spent": spent}
    assert (await boss.call("GET", "/api/groups"))[1] == {"groups": [changed]}
    assert (await door.browser().accept(links[1], login="sora"))[0] == 200, "one of its groups is there"
    assert await boss.call("DELETE", path) == (204, None)
    assert (await door.browser().accept(links[0], login="late"))[0] == 404, "none is"
    assert await boss.refused("DELETE", path) == (404, "group_not_found")
    assert await boss.refused("PATCH", path, {}) == (404, "group_not_found")
    assert (await people_of(boss))["mina"]["groups"] == [made["id"]], "who was in it alone may ask no model now"
    assert (await boss.call("PATCH", person, {"groups": [made["id"]], "role": "guest"}))[1]["groups"] == [made["id"]]
    acts = [act for act in await door.acts() if act.startswith("group.")]
    assert acts == ["group.added", "group.added", "group.removed", "group.changed", "group.removed"]


async def test_the_settings_alone_make_admins_of_who_comes_through_a_provider(tmp_path: Path) -> None:
    accounts = MemoryAccounts()
    async with an_entrance(tmp_path, accounts=accounts, people=memory_people(accounts)) as entrance:
        boss = OURS | await entrance.signed_in(sub="1", email="boss@example.com")
        mina = await entrance.signed_in(sub="2", email="mina@example.com", name="Mina")
        call = entrance.site.call
        people = (await call("GET", "/api/people", headers=boss))[1]["people"]
        found = {person["email"]: person for person in people}
        assert [(each["role"], each["door"], each["login"]) for each in people] == [
            ("admin", "provider", None),
            ("member", "provider", None),
        ]
        path = f"/api/people/{found['mina@example.com']['id']}"
        for asked in ({"role": "admin"}, {"name": "Else"}, {"email": "else@example.com"}):
            status, error = await call("PATCH", path, asked, headers=boss)
            assert (status, error["error"]["type"]) == (403, "not_allowed"), asked
        own = f"/api/people/{found['boss@example.com']['id']}"
        assert (await call("PATCH", own, {"role": "member"}, headers=boss))[0] == 403, "the settings say so"
        assert (await call("POST", f"{path}/reset", {}, headers=boss))[0] == 400
        status, changed = await call("PATCH", path, {"role": "guest"}, headers=boss)
        assert (status, changed["role"]) == (200, "guest")
        assert (await call("GET", "/api/me", headers=mina))[0] == 401
        assert SESSION in mina["cookie"]


async def test_keys_are_written_down_by_their_names(door: FrontDoor) -> None:
    boss, mina = await door.admin(), await door.member()
    made = (await mina.call("POST", "/api/keys", {"name": "CI of the shop"}))[1]
    facts = {"key": made["key"]["id"], "name": "CI of the shop", "prefix": made["key"]["prefix"]}
    assert (await boss.call("DELETE", f"/api/keys/{made['key']['id']}"))[0] == 200
    revoked, told = (await boss.call("GET", "/api/audit?limit=2"))[1]["events"]
    assert (told["action"], told["actor_name"], told["details"]) == ("key.made", "mina", facts)
    assert (revoked["action"], revoked["actor_name"], revoked["details"]) == ("key.revoked", "boss", facts)
    assert revoked["subject"] == told["actor"]
    assert made["secret"] not in str((revoked, told))


async def test_only_admins_come_here(door: FrontDoor) -> None:
    mina = await door.member()
    assert await mina.refused("GET", "/api/people") == (403, "not_allowed")
    assert await mina.refused("POST", "/api/groups", "no JSON at all") == (403, "not_allowed")
