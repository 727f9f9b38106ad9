"""Groups at the identity provider: what they give here, brought up to date at each sign-in."""

from typing import Any

import msgspec
import pytest
from sign_in.conftest import Desk

from daehwa.accounts.errors import AccountDisabled, SecondAccount, SignInMisconfigured
from daehwa.accounts.groups import Group
from daehwa.accounts.people import NewUser, UserChanges

ROLES: dict[str, Any] = {"chat-admins": "admin", "staff": "member", "visitors": "guest"}


async def role_of(desk: Desk, groups: object) -> str:
    """Sign Mina in with these groups; return the role that she has, at once and at the next request."""
    desk.issuer.person["groups"] = groups
    done = await desk.signed_in()
    now = await desk.sign_in.user_of(done.session)
    assert now is not None
    assert now.role == done.user.role
    return now.role


@pytest.mark.parametrize(
    ("groups", "role"),
    [
        (["visitors"], "guest"),
        (["visitors", "staff"], "member"),
        (["x", "visitors", "chat-admins"], "admin"),
        ([], "member"),
        (["Chat-Admins", "chat-admins ", "chat"], "member"),
        ("chat-admins", "admin"),
        (None, "member"),
        ({"chat-admins": True}, "member"),
        ([["chat-admins"], 1, None], "member"),
        (["x"] * 999 + ["visitors"], "guest"),
    ],
)
async def test_groups_give_a_role(desk: Desk, groups: object, role: str) -> None:
    desk.made(group_claim="groups", group_roles=ROLES)
    assert await role_of(desk, groups) == role


async def test_a_role_is_as_the_last_sign_in_said(desk: Desk) -> None:
    desk.made(group_claim="groups", group_roles=ROLES)
    for groups, role in ((["staff"], "member"), (["chat-admins"], "admin"), (["visitors"], "guest"), ([], "member")):
        assert await role_of(desk, groups) == role
    assert len(await desk.accounts.list_users()) == 1


async def test_whoever_the_settings_name_an_admin_no_more_is_what_their_groups_make_them(desk: Desk) -> None:
    ways: dict[str, Any] = {"group_claim": "groups", "group_roles": ROLES}
    desk.made(**ways, admin_emails=("mina@example.com",))
    for groups, role in ((["visitors", "x"], "guest"), ([], "member"), (["chat-admins"], "admin")):
        desk.issuer.person["groups"] = groups
        desk.made(**ways, admin_emails=("mina@example.com",))
        done = await desk.signed_in()
        assert done.user.role == "admin"
        desk.made(**ways)
        now = await desk.sign_in.user_of(done.session)
        assert now is not None
        assert now.role == role, "at the next request, not at the next sign-in"


async def test_a_claim_that_is_not_asked_for_gives_nothing(desk: Desk) -> None:
    desk.made(group_claim="other", group_roles=ROLES)
    assert await role_of(desk, ["chat-admins"]) == "member"
    desk.made()
    assert await role_of(desk, ["chat-admins"]) == "member"


async def test_people_are_in_the_groups_that_name_the_claim(desk: Desk) -> None:
    for group in (Group(id="lab", name="Lab", claim="staff"), Group(id="out", name="Out", claim="visitors")):
        await desk.people.groups.add_group(group)
    await desk.people.groups.add_group(Group(id="own", name="Made by hand"))
    desk.made(group_claim="groups")
    assert await role_of(desk, ["staff"]) == "member"
    (mina,) = await desk.accounts.list_users()
    assert set(mina.groups) == {"lab"}
    await desk.accounts.change_user(mina.id, UserChanges(groups=("lab", "own")))
    await role_of(desk, ["visitors"])
    (mina,) = await desk.accounts.list_users()
    assert set(mina.groups) == {"out", "own"}, "what an admin did by hand stays"
    desk.made()
    await role_of(desk, [])
    (mina,) = await desk.accounts.list_users()
    assert set(mina.groups) == {"out", "own"}, "without the setting nothing is taken away"


async def test_the_provider_is_asked_for_groups_that_the_token_leaves_out(desk: Desk) -> None:
    desk.made(group_claim="groups", group_roles=ROLES)
    desk.issuer.claims = {"groups": None}
    assert await role_of(desk, ["visitors"]) == "guest"


@pytest.mark.parametrize("where", ["the token", "the person"])
async def test_nobody_comes_in_by_more_groups_than_the_provider_tells(desk: Desk, where: str) -> None:
    await desk.people.groups.add_group(Group(id="lab", name="Lab", claim="visitors", models=("small",)))
    desk.made(group_claim="groups", group_roles=ROLES)
    assert await role_of(desk, ["visitors"]) == "guest"
    del desk.issuer.person["groups"]
    elsewhere = {"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://x.example"}}}
    if where == "the token":
        desk.issuer.claims = elsewhere
    else:
        desk.issuer.person |= elsewhere
    with pytest.raises(SignInMisconfigured, match="too many"):
        await desk.signed_in()
    desk.issuer.claims = {}
    desk.issuer.person["groups"] = ["x"] * 1000 + ["visitors"]
    with pytest.raises(SignInMisconfigured, match="too many"):
        await desk.signed_in()
    (mina,) = await desk.accounts.list_users()
    assert (mina.role, mina.groups) == ("guest", ("lab",)), "what they were"
    desk.issuer.person["groups"] = ["visitors"]
    assert (await desk.signed_in()).user.role == "guest", "told as well as to be had elsewhere: told"
    desk.made()
    del desk.issuer.person["groups"]
    assert (await desk.signed_in()).user.groups == ("lab",), "nobody asks for groups"


async def test_the_page_makes_guests_and_the_settings_make_admins(desk: Desk) -> None:
    done = await desk.signed_in()
    await desk.accounts.change_user(done.user.id, UserChanges(role="guest"))
    now = await desk.sign_in.user_of(done.session)
    assert now is not None
    assert now.role == "guest"
    assert (await desk.signed_in()).user.role == "guest", "and it stays so"
    await desk.accounts.change_user(done.user.id, UserChanges(role="admin"))
    now = await desk.sign_in.user_of(done.session)
    assert now is not None
    assert now.role == "member"
    desk.made(admin_emails=("mina@example.com",))
    now = await desk.sign_in.user_of(done.session)
    assert now is not None
    assert now.role == "admin"


async def test_who_is_disabled_does_not_come_in_by_the_provider_either(desk: Desk) -> None:
    done = await desk.signed_in()
    await desk.accounts.change_user(done.user.id, UserChanges(disabled=1))
    assert await desk.sign_in.user_of(done.session) is None
    with pytest.raises(Exception, match="disabled"):
        await desk.signed_in()


@pytest.mark.parametrize("address", ["mina@example.com", "Mina@Example.com"])
async def test_another_subject_of_the_same_address_sheds_nothing(desk: Desk, address: str) -> None:
    await desk.people.groups.add_group(Group(id="lab", name="Lab", models=("small",)))
    desk.made()
    mina = (await desk.signed_in()).user
    free = UserChanges(disabled=None, role="member", groups=())
    held = (UserChanges(role="guest"), UserChanges(groups=("lab",)), UserChanges(groups=("removed",)))
    desk.issuer.person |= {"sub": "google|mina", "email": address}
    for changes in (UserChanges(disabled=1), *held):
        await desk.accounts.change_user(mina.id, changes)
        with pytest.raises(AccountDisabled if changes.disabled == 1 else SecondAccount):
            await desk.signed_in()
        await desk.accounts.change_user(mina.id, free)
        assert len(await desk.accounts.list_users()) == 1
    assert (await desk.signed_in()).user.id != mina.id, "who sheds nothing is somebody else, as ever"
    await desk.accounts.change_user(mina.id, UserChanges(disabled=1))
    assert (await desk.signed_in()).user.subject == "google|mina", "whoever is known is judged by what they are"


async def test_an_admin_comes_in_by_another_account_too_unless_disabled(desk: Desk) -> None:
    desk.made(admin_emails=("mina@example.com",))
    mina = (await desk.signed_in()).user
    await desk.accounts.change_user(mina.id, UserChanges(groups=("lab",)))
    desk.issuer.person["sub"] = "google|mina"
    await desk.accounts.add_user(NewUser(login="boss", role="admin"), now=1)
    await desk.accounts.change_user(mina.id, UserChanges(disabled=1))
    with pytest.raises(AccountDisabled):
        await desk.signed_in()
    await desk.accounts.change_user(mina.id, UserChanges(disabled=None))
    desk.made()
    with pytest.raises(SecondAccount):
        await desk.signed_in()
    desk.made(admin_emails=("mina@example.com",))
    assert (await desk.signed_in()).user.role == "admin"


async def test_only_a_verified_address_of_the_same_provider_is_the_same(desk: Desk) -> None:
    await desk.accounts.add_user(NewUser(login="mina", email="mina@example.com", role="guest"), now=1)
    assert (await desk.signed_in()).user.role == "member", "an account here is nobody's at the provider"
    sora = {"sub": "sora", "email": "mina@example.com", "email_verified": False}
    desk.issuer.person |= sora
    (mina,) = (each for each in await desk.accounts.list_users() if each.login is None)
    await desk.accounts.change_user(mina.id, UserChanges(disabled=1))
    assert (await desk.signed_in()).user.email is None


async def test_each_sign_in_is_written_down(desk: Desk) -> None:
    done = await desk.signed_in()
    (event,) = [event async for event in desk.people.audit.events()]
    assert (event.action, event.actor, event.details) == ("session.begun", done.user.id, {"by": "oidc"})
    assert done.session not in msgspec.json.encode(event).decode()
