"""What every store of people does: local accounts, sessions, links, groups, decisions, preferences."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from stores.homes import HOMES

from daehwa.accounts.errors import (
    AccountDisabled,
    GroupNameTaken,
    GroupNotFound,
    LastAdmin,
    LoginTaken,
    PersonLeaving,
    UserNotFound,
)
from daehwa.accounts.groups import Group
from daehwa.accounts.installation import Announcement, Installation, InstallationChanges
from daehwa.accounts.links import Link
from daehwa.accounts.people import SEEN_EVERY_MS, NewUser, Profile, Session, User, UserChanges
from daehwa.accounts.people_ports import PeopleStores
from daehwa.accounts.preferences import Preferences

NOW = 1_800_000_000_000
MINA = Profile(issuer="https://id.example", subject="mina", email="mina@example.com", name="미나")


@pytest.fixture(params=list(HOMES))
async def people(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[PeopleStores]:
    async with HOMES[request.param](tmp_path) as opened:
        yield opened


async def an_admin(people: PeopleStores, login: str = "root") -> User:
    return await people.accounts.add_user(NewUser(login=login, role="admin"), now=NOW)


def a_session(user: str, name: str = "one", created: int = NOW) -> Session:
    return Session(id=name, user=user, created=created, expires=NOW + 1000, address="203.0.113.7", agent="Firefox")


def a_link(name: str = "one", *, user: str | None = None, made_by: str | None = None, created: int = NOW) -> Link:
    return Link(
        id=name,
        kind="invite",
        user=user,
        email="jun@example.com",
        groups=("g",),
        made_by=made_by,
        created=created,
        expires=created + 1000,
    )


# ---------------------------------------------------------------- local accounts


async def test_a_local_account_is_found_by_its_login_however_it_is_written(people: PeopleStores) -> None:
    new = NewUser(login=" Mina\uff20Example.com ", name="미나", email="mina@example.com", role="guest", groups=("g",))
    user = await people.accounts.add_user(new, now=NOW)
    assert (user.login, user.issuer, user.role, user.groups) == ("mina@example.com", "local", "guest", ("g",))
    assert await people.accounts.find_user("MINA@example.COM") == user == await people.accounts.get_user(user.id)
    assert await people.accounts.list_users() == (user,)
    with pytest.raises(LoginTaken):
        await people.accounts.add_user(NewUser(login="mina@EXAMPLE.com"), now=NOW)


async def test_a_login_is_given_once_also_to_several_at_once(people: PeopleStores) -> None:
    adding = (people.accounts.add_user(NewUser(login="mina", name=str(at)), now=NOW) for at in range(6))
    results = await asyncio.gather(*adding, return_exceptions=True)
    assert sum(isinstance(result, User) for result in results) == 1
    assert sum(isinstance(result, LoginTaken) for result in results) == 5
    assert len(await people.accounts.list_users()) == 1


async def test_an_e_mail_address_finds_a_local_account_where_it_is_the_only_one(people: PeopleStores) -> None:
    await people.accounts.sign_in(MINA, role=None, now=NOW)
    assert await people.accounts.find_user("mina@example.com") is None, "they have no password here"
    mina = await people.accounts.add_user(NewUser(login="mina", email="Mina@example.com"), now=NOW)
    assert await people.accounts.find_user("mina@example.com") == mina
    await people.accounts.add_user(NewUser(login="mina2", email="mina@example.com"), now=NOW)
    assert await people.accounts.find_user("mina@example.com") is None
    named = await people.accounts.add_user(NewUser(login="mina@example.com"), now=NOW)
    assert await people.accounts.find_user("mina@example.com") == named, "a login comes first"


async def test_what_is_changed_of_a_person_is_kept_and_nothing_else(people: PeopleStores) -> None:
    user = await people.accounts.sign_in(MINA, role=None, now=NOW)
    changed = await people.accounts.change_user(user.id, UserChanges(role="guest", groups=("a", "b")))
    assert changed == msgspec.structs.replace(user, role="guest", groups=("a", "b"))
    assert await people.accounts.get_user(user.id) == changed
    named = await people.accounts.change_user(user.id, UserChanges(name="Mi\ud800", email=None))
    assert (named.name, named.email, named.role) == ("Mi\N{REPLACEMENT CHARACTER}", None, "guest")
    await people.accounts.note_seen(user.id, now=NOW + 9)
    assert (await people.accounts.list_users())[0].last_seen == NOW + 9
    await people.accounts.note_seen("nobody", now=NOW)
    with pytest.raises(UserNotFound):
        await people.accounts.change_user("nobody", UserChanges(name="Nobody"))


async def test_who_is_disabled_is_signed_out_and_does_not_come_in(people: PeopleStores) -> None:
    user = await people.accounts.sign_in(MINA, role=None, now=NOW)
    await people.accounts.save_session(a_session(user.id))
    disabled = await people.accounts.change_user(user.id, UserChanges(disabled=NOW))
    assert disabled.disabled == NOW
    assert await people.accounts.get_session("one", now=NOW) is None
    assert await people.accounts.list_sessions(user.id, now=NOW) == ()
    await people.accounts.save_session(a_session(user.id, "begun meanwhile"))
    assert await people.accounts.get_session("begun meanwhile", now=NOW) is None
    with pytest.raises(AccountDisabled):
        await people.accounts.sign_in(msgspec.structs.replace(MINA, name="Other"), role="admin", now=NOW)
    assert await people.accounts.get_user(user.id) == disabled
    assert await people.accounts.change_user(user.id, UserChanges(disabled=None)) == user
    assert await people.accounts.sign_in(MINA, role=None, now=NOW) == user


async def test_nothing_lets_somebody_in_again_who_is_being_deleted(people: PeopleStores) -> None:
    user = await people.accounts.sign_in(MINA, role=None, now=NOW)
    racing = [UserChanges(disabled=NOW, leaving=NOW), *(UserChanges(disabled=None, name=str(at)) for at in range(4))]
    results = await asyncio.gather(
        *(people.accounts.change_user(user.id, changes) for changes in racing), return_exceptions=True
    )
    assert all(isinstance(result, User | PersonLeaving) for result in results)
    leaving = await people.accounts.get_user(user.id)
    assert leaving is not None
    assert (leaving.disabled, leaving.leaving) == (NOW, NOW)
    with pytest.raises(PersonLeaving):
        await people.accounts.change_user(user.id, UserChanges(disabled=None))
    again = await people.accounts.change_user(user.id, UserChanges(disabled=NOW + 1, leaving=NOW + 1))
    assert again.leaving == NOW + 1


async def test_the_last_admin_who_can_come_in_stays_one(people: PeopleStores) -> None:
    first, second = await an_admin(people), await an_admin(people, "second")
    await people.accounts.change_user(second.id, UserChanges(disabled=NOW))
    for changes in (UserChanges(role="member"), UserChanges(disabled=NOW), UserChanges(disabled=NOW, leaving=NOW)):
        with pytest.raises(LastAdmin):
            await people.accounts.change_user(first.id, changes)
    await people.accounts.change_user(first.id, UserChanges(name="Root", role="admin"))
    await people.accounts.change_user(second.id, UserChanges(role="member"))  # takes nobody away who could come in
    await people.accounts.change_user(second.id, UserChanges(role="admin", disabled=None))
    assert (await people.accounts.change_user(first.id, UserChanges(role="guest"))).role == "guest"


async def test_of_admins_who_take_each_others_role_away_at_once_one_stays(people: PeopleStores) -> None:
    admins = [await an_admin(people, f"admin {at}") for at in range(4)]
    demoting = (people.accounts.change_user(admin.id, UserChanges(role="member")) for admin in admins)
    results = await asyncio.gather(*demoting, return_exceptions=True)
    assert sum(isinstance(result, LastAdmin) for result in results) == 1
    assert sum(user.is_enabled_admin for user in await people.accounts.list_users()) == 1


async def test_a_provider_puts_people_into_groups_and_takes_them_out(people: PeopleStores) -> None:
    user = await people.accounts.sign_in(MINA, role=None, now=NOW, joins=("a", "b"))
    assert user.groups == ("a", "b")
    await people.accounts.change_user(user.id, UserChanges(groups=("a", "b", "by hand")))
    there = msgspec.structs.replace(MINA, claimed=("admins", "staff"))
    later = await people.accounts.sign_in(there, role=None, now=NOW, joins=("c", "a"), leaves=("b",))
    assert (later.groups, later.claimed) == (("a", "by hand", "c"), ("admins", "staff"))
    assert await people.accounts.sign_in(there, role=None, now=NOW) == later == await people.accounts.get_user(user.id)
    assert (await people.accounts.sign_in(MINA, role=None, now=NOW)).claimed == ()


# ---------------------------------------------------------------- sessions


async def test_sessions_are_listed_and_ended_by_their_user(people: PeopleStores) -> None:
    mina, jun = await an_admin(people, "mina"), await an_admin(people, "jun")
    mine = [a_session(mina.id, f"mine {at}", NOW + at) for at in range(3)]
    old = msgspec.structs.replace(a_session(mina.id, "old"), expires=NOW)
    for session in (*mine, old, a_session(jun.id, "jun's")):
        await people.accounts.save_session(session)
    assert await people.accounts.list_sessions(mina.id, now=NOW) == tuple(reversed(mine))
    await people.accounts.delete_session("mine 0")
    assert await people.accounts.delete_sessions(mina.id, but="mine 2") >= 1
    assert await people.accounts.list_sessions(mina.id, now=NOW) == (mine[2],)
    assert await people.accounts.get_session("mine 1", now=NOW) is None
    assert await people.accounts.delete_sessions(mina.id) == 1
    assert await people.accounts.list_sessions(mina.id, now=NOW) == ()
    assert len(await people.accounts.list_sessions(jun.id, now=NOW)) == 1


async def test_the_use_of_a_session_is_written_down_now_and_then(people: PeopleStores) -> None:
    user = await an_admin(people)
    session = msgspec.structs.replace(a_session(user.id), last_seen=NOW - SEEN_EVERY_MS + 1)
    await people.accounts.save_session(session)
    await people.accounts.touch_session(session, now=NOW, address="203.0.113.8")
    assert await people.accounts.list_sessions(user.id, now=NOW) == (session,)
    await people.accounts.touch_session(session, now=NOW + 1, address="203.0.113.8")
    touched = msgspec.structs.replace(session, last_seen=NOW + 1, address="203.0.113.8")
    found = await people.accounts.get_session("one", now=NOW)
    assert found is not None
    assert found[0] == touched
    await people.accounts.delete_session("one")
    await people.accounts.touch_session(session, now=NOW + 1, address=None)
    assert await people.accounts.list_sessions(user.id, now=NOW) == ()


# ---------------------------------------------------------------- links


async def test_a_link_is_looked_at_often_and_taken_once(people: PeopleStores) -> None:
    await people.links.add_link(a_link())
    await people.links.add_link(a_link("two", created=NOW + 1))
    assert await people.links.get_link("one", now=NOW) == a_link() == await people.links.get_link("one", now=NOW)
    assert await people.links.list_links(now=NOW) == (a_link("two", created=NOW + 1), a_link())
    taken = await asyncio.gather(*(people.links.take_link("one", now=NOW) for _ in range(6)))
    assert [link for link in taken if link is not None] == [a_link()]
    assert await people.links.get_link("one", now=NOW) is None
    assert await people.links.delete_link("two")
    assert not await people.links.delete_link("two")
    assert await people.links.list_links(now=NOW) == ()


async def test_a_link_that_has_expired_is_not_there(people: PeopleStores) -> None:
    await people.links.add_link(a_link())
    await people.links.add_link(a_link("two", created=NOW + 1))
    assert await people.links.get_link("one", now=NOW + 1000) is None
    assert await people.links.list_links(now=NOW + 1000) == (a_link("two", created=NOW + 1),)
    assert await people.links.take_link("one", now=NOW + 1000) is None
    assert await people.links.purge_expired(now=NOW + 2000) in {0, 1}, "0 where the store does so by itself"
    assert await people.links.list_links(now=NOW + 1001) == ()


async def test_links_of_a_person_go_with_them(people: PeopleStores) -> None:
    links = (a_link("mine", user="mina"), a_link("made", made_by="mina"), a_link("other", user="jun", made_by="jun"))
    for link in links:
        await people.links.add_link(link)
    await people.links.forget("mina")
    left = {link.id: link for link in await people.links.list_links(now=NOW)}
    assert left == {"other": links[2]}, "and those that they made"


# ---------------------------------------------------------------- groups and the installation


async def test_groups_are_kept_by_name_and_change(people: PeopleStores) -> None:
    staff = Group(id="1", name="Staff", models=("gpt-*",), day=5, claim="staff", instructions="존댓말", created=NOW)
    artists = Group(id="2", name="artists", total=7)
    for group in (staff, artists):
        await people.groups.add_group(group)
    assert await people.groups.list_groups() == (artists, staff)
    assert await people.groups.get_group("1") == staff
    with pytest.raises(GroupNameTaken):
        await people.groups.add_group(Group(id="3", name="STAFF"))
    with pytest.raises(GroupNameTaken):
        await people.groups.replace_group(Group(id="2", name="staff"))
    changed = Group(id="1", name="STAFF", month=9)
    await people.groups.replace_group(changed)
    assert await people.groups.get_group("1") == changed
    with pytest.raises(GroupNotFound):
        await people.groups.replace_group(Group(id="3", name="Nobody"))


async def test_a_group_that_is_removed_leaves_people_as_they_are(people: PeopleStores) -> None:
    await people.groups.add_group(Group(id="1", name="Staff"))
    user = await people.accounts.add_user(NewUser(login="mina", groups=("1", "2")), now=NOW)
    await people.groups.delete_group("1")
    assert await people.groups.get_group("1") is None
    assert await people.groups.list_groups() == ()
    assert await people.accounts.get_user(user.id) == user, "in no group they could do more"
    with pytest.raises(GroupNotFound):
        await people.groups.delete_group("1")


async def test_what_is_decided_for_the_installation_is_kept(people: PeopleStores) -> None:
    assert await people.installation.get_installation() == Installation()
    await people.installation.change_installation(InstallationChanges(retention_days=30))
    changed = await people.installation.change_installation(InstallationChanges(admins_may_read=True))
    assert changed == Installation(admins_may_read=True, retention_days=30)
    await people.installation.change_installation(InstallationChanges(retention_days=None))
    assert await people.installation.get_installation() == Installation(admins_may_read=True)
    told = Announcement(en="Maintenance on Friday", ko="금요일에 점검해요", until=5)
    await people.installation.change_installation(InstallationChanges(announcement=told))
    assert await people.installation.get_installation() == Installation(admins_may_read=True, announcement=told)
    await people.installation.change_installation(InstallationChanges(announcement=None))
    assert (await people.installation.get_installation()).announcement is None


# ---------------------------------------------------------------- preferences


async def test_what_somebody_has_set_is_theirs_alone_and_the_last_word_holds(people: PeopleStores) -> None:
    assert await people.preferences.get_preferences("owner") == Preferences()
    for said in ("Answer briefly.", "반말로 답해 줘. 🌱\n\n짧게."):
        await people.preferences.set_preferences("owner", Preferences(instructions=said))
        assert (await people.preferences.get_preferences("owner")).instructions == said
    assert await people.preferences.get_preferences("mina") == Preferences()
    await people.preferences.set_preferences("mina", Preferences(instructions="Half a pair: \ud83c"))
    assert "Half a pair" in (await people.preferences.get_preferences("mina")).instructions
    for _ in range(2):
        await people.preferences.forget("owner")
        assert await people.preferences.get_preferences("owner") == Preferences()
    assert await people.preferences.get_preferences("mina") != Preferences()


def test_what_somebody_has_set_is_shown_in_no_log() -> None:
    assert "brief" not in repr(Preferences(instructions="Be brief."))
