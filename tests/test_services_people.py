"""People in the home on one machine, as it is wired: what stops at once, what is kept how long, what goes on."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from real_home import RealHome, a_real_home

from daehwa.accounts.people import NewUser, UserChanges
from daehwa.conversation.ids import now_ms
from daehwa.conversation.purging import DAY_MS
from daehwa.data_folder import DATABASE
from daehwa.services.local import keep_house
from daehwa.services.people import People
from daehwa.sign_in.links import LinkMaker
from daehwa.stores.sqlite import SqliteStore
from daehwa.stores.sqlite_people import sqlite_people


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[RealHome]:
    async with a_real_home(tmp_path) as made:
        yield made


async def test_the_keys_of_whoever_is_disabled_leaves_or_becomes_a_guest_stop_at_once(home: RealHome) -> None:
    boss, mina = await home.door.admin(), await home.door.member()
    key, user = await home.key(mina), await home.id_of(mina)
    path = f"/api/people/{user}"
    assert (await home.ask(key))[0] == 200
    assert (await boss.call("PATCH", path, {"disabled": True}))[0] == 200
    status, answer = await home.ask(key)
    assert (status, answer["error"]["code"]) == (403, "account_disabled")
    assert (await boss.call("PATCH", path, {"disabled": False}))[0] == 200
    assert (await home.ask(key))[0] == 200, "they are as they were before"
    assert (await boss.call("PATCH", path, {"role": "guest"}))[0] == 200
    assert (await home.ask(key))[1]["error"]["code"] == "not_allowed"
    await boss.call("PATCH", path, {"role": "member"})
    assert (await boss.call("DELETE", path))[0] == 204
    assert (await home.ask(key))[1]["error"]["code"] == "key_unknown"
    assert len(home.upstream.turns) == 2


async def test_the_key_of_the_first_admin_stops_as_any_other(home: RealHome) -> None:
    boss = await home.door.admin()
    key, user = await home.key(boss), await home.id_of(boss)
    assert user == "owner", "what was here before is theirs"
    assert (await home.ask(key))[0] == 200
    other = await home.door.member("second", role="admin")
    assert (await other.call("PATCH", f"/api/people/{user}", {"disabled": True}))[0] == 200
    assert (await home.ask(key))[0] == 403


def _aged(home: RealHome, folder: Path, days: int) -> None:
    """Make all conversations so many days older."""
    del home
    with sqlite3.connect(folder / "data" / DATABASE) as database:
        database.execute("UPDATE conversations SET updated = updated - ?", (days * DAY_MS,))
    database.close()


async def _kept(home: RealHome) -> None:
    keeping = asyncio.create_task(keep_house(home.services))
    await asyncio.sleep(1)
    keeping.cancel()
    await asyncio.wait([keeping])


async def test_what_nobody_touched_for_longer_than_is_decided_goes_for_good(home: RealHome, tmp_path: Path) -> None:
    boss, mina = await home.door.admin(), await home.door.member()
    await home.turn(mina, "An old question")
    _aged(home, tmp_path, 31)
    await home.turn(mina, "A new question")
    await _kept(home)
    assert len((await mina.call("GET", "/api/conversations"))[1]["conversations"]) == 2, "nothing is decided"
    assert (await boss.call("PATCH", "/api/installation", {"retention_days": 30}))[0] == 200
    await _kept(home)
    found = (await mina.call("GET", "/api/conversations"))[1]["conversations"]
    assert [each["title"] for each in found] == ["A new question"]
    assert (await mina.call("GET", "/api/conversations?query=old"))[1]["hits"] == []


async def test_a_deletion_that_broke_off_is_gone_on_with_at_the_next_start(home: RealHome, tmp_path: Path) -> None:
    await home.door.admin()
    mina = await home.door.member()
    await home.turn(mina, "zanzibarcanary")
    user = await home.id_of(mina)
    await home.services.people.accounts.change_user(user, UserChanges(disabled=now_ms(), leaving=now_ms()))
    await _kept(home)
    assert await home.services.people.accounts.get_user(user) is None
    files = [path for path in (tmp_path / "data").iterdir() if path.is_file()]
    assert not any(b"zanzibarcanary" in path.read_bytes() for path in files)


async def test_the_terminal_voids_the_links_of_whom_it_takes_the_office(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / DATABASE, holding=contextlib.nullcontext)
    stores, now = sqlite_people(store), now_ms()
    terminal, maker = People(stores, store), LinkMaker(stores.links, "https://chat.example")
    boss, mina, jun = [
        await stores.accounts.add_user(NewUser(login=login, role="admin"), now=now) for login in ("boss", "mina", "jun")
    ]
    for admin in (boss, mina, jun):
        await maker.invite(email=None, role="admin", groups=(), made_by=admin.id, now=now)
    await terminal.disable(mina)
    await terminal.set_role(jun, "member")
    assert [link.made_by for link in await stores.links.list_links(now=now)] == [boss.id]
    acts = [(event.action, event.subject) async for event in stores.audit.events()]
    assert [subject for action, subject in acts if action == "link.revoked"] == [mina.id, jun.id]
    await terminal.aclose()
